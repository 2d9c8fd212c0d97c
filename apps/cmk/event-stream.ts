import { Readable } from 'node:stream';
import { cloudEventOf } from '@kcm/application';
import { type Clock, LIMITS, type Scheduler } from '@kcm/kernel';
import type { EventDoc } from '@projections/events';

export interface EventStreamDeps {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** The next events of the tenant after this one (null: from its first), in order; none: []. */
  read(after: EventDoc | null): Promise<readonly EventDoc[]>;
}
/** How long a browser waits before it connects again. */
const RETRY_MS = 1_000;
const EXPIRY_LOOK_MS = 60_000;

/**
 * Server-sent events (WHATWG HTML §9.2) of one tenant: each a CloudEvent, whose id is its `id:` too.
 * A position would name another event in a ledger that was restored; an event's id never does.
 * One page of a read model is held at most: the next event is made when the reader has taken the
 * last. It waits for `wake`, and says so in comments meanwhile.
 */
export class EventStream extends Readable {
  #page: EventDoc[] = [];
  #opened = false;
  /** Why it ends. */
  #ending: string | null = null;
  #told = false;
  #woken = false;
  #wakeUp: (() => void) | null = null;
  readonly #timers = new Map<'stall' | 'expiry' | 'end', () => void>();

  /** `after`: the last event that the reader has. `expiresAtMs`: the end of its token. */
  constructor(
    private readonly deps: EventStreamDeps,
    private after: EventDoc | null,
    private readonly expiresAtMs: number | null,
  ) {
    super({ highWaterMark: 16 * 1024 });
    this.#watchExpiry();
  }

  /** There may be something new. */
  wake(): void {
    this.#woken = true;
    this.#wakeUp?.();
  }

  /** Nothing more is sent but why; a reader that does not take even that is cut. */
  end(why: string): void {
    if (this.#ending !== null) return;
    this.#ending = why;
    this.#timer('end', LIMITS.eventStreamEndMsMax, () => this.destroy());
    this.wake();
  }

  override _read(): void {
    this.#stopTimer('stall');
    this.#next().then(
      (frame) => {
        if (this.destroyed) return;
        if (frame !== null)
          this.#timer('stall', LIMITS.eventStreamStallMsMax, () => this.destroy());
        this.push(frame);
      },
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    for (const cancel of this.#timers.values()) cancel();
    this.wake();
    done(error);
  }

  async #next(): Promise<string | null> {
    if (!this.#opened) {
      this.#opened = true;
      // An id without data dispatches nothing, and is what the reader resumes from.
      const id = this.after === null ? '' : `id: ${this.after.id}\n`;
      return `retry: ${RETRY_MS}\n${id}\n`;
    }
    for (;;) {
      if (this.destroyed) return null;
      if (this.#ending !== null) return this.#last(this.#ending);
      const doc = this.#page.shift();
      if (doc !== undefined) {
        this.after = doc;
        return `id: ${doc.id}\ndata: ${JSON.stringify(cloudEventOf(doc))}\n\n`;
      }
      this.#woken = false;
      this.#page = [...(await this.deps.read(this.after))];
      if (this.#page.length > 0) continue;
      if (!(await this.#rest())) return ': nothing new\n\n';
    }
  }

  #last(why: string): string | null {
    const frame = this.#told ? null : `: ${why}\n\n`;
    this.#told = true;
    return frame;
  }

  /** Until it is woken (true), or for as long as a connection may be silent. */
  async #rest(): Promise<boolean> {
    if (this.#woken || this.destroyed) return true;
    return new Promise((resolve) => {
      const over = (woken: boolean) => (): void => {
        this.#wakeUp = null;
        cancel();
        resolve(woken);
      };
      const cancel = this.deps.scheduler.after(LIMITS.eventStreamHeartbeatMs, over(false));
      this.#wakeUp = over(true);
    });
  }

  /** In short looks: the wall clock may have been moved meanwhile. */
  #watchExpiry(): void {
    if (this.expiresAtMs === null) return;
    const left = this.expiresAtMs - this.deps.clock.wallMs();
    if (left <= 0) return this.end('the token has ended');
    this.#timer('expiry', Math.min(left, EXPIRY_LOOK_MS), () => this.#watchExpiry());
  }

  #timer(name: 'stall' | 'expiry' | 'end', ms: number, run: () => void): void {
    this.#stopTimer(name);
    this.#timers.set(name, this.deps.scheduler.after(ms, run));
  }
  #stopTimer(name: 'stall' | 'expiry' | 'end'): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }
}
