import {
  type FeedItem,
  fullJitterMs,
  KcmError,
  type OneOrMore,
  type Position,
  type Random,
  type RecordedEvent,
  type Scheduler,
} from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';

/** What is done with a feed of the ledger. */
export interface FeedConsumer {
  /** Where to go on after, asked before each connection. */
  resume(): Promise<Position | 'start'>;
  /** The next item is asked for when it resolves. */
  events(events: OneOrMore<RecordedEvent>): Promise<void>;
  passed(position: Position): Promise<void>;
  caughtUp(): Promise<void>;
}
/**
 * `waiting`: the ledger, the store or the broker cannot be reached, it is tried again. `failed`:
 * never again.
 */
export type FeedState = 'starting' | 'catchingUp' | 'live' | 'waiting' | 'failed' | 'stopped';

export interface FeedLoopDeps {
  readonly ledger: Ledger;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** A failure that stops the consumer, or one that is tried again. Must not throw. */
  report(error: unknown, state: FeedState): void;
}

const AGAIN: ReadonlySet<string> = new Set(['ledger_unavailable', 'messaging_unavailable']);
const RETRY_MS_MIN = 200;
/** Who reads waits for no longer when the store is back. */
const RETRY_MS_MAX = 5_000;

/**
 * Runs one consumer over the ledger's feed until it is stopped. An engine that cannot be reached is
 * tried again with full jitter; anything else stops the consumer: going on past an event that it
 * could not take would be worse than standing still.
 */
export class FeedLoop {
  #state: FeedState = 'stopped';
  #error: unknown = null;
  #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly deps: Omit<FeedLoopDeps, 'ledger'> & { readonly ledger: Pick<Ledger, 'feed'> },
    private readonly consumer: FeedConsumer,
  ) {}

  get state(): FeedState {
    return this.#state;
  }
  /** Why it waits or failed; null otherwise. */
  get error(): unknown {
    return this.#error;
  }

  /** Does nothing while it runs; starts anew after a failure or a stop. */
  start(): void {
    if (this.#state !== 'stopped' && this.#state !== 'failed') return;
    this.#abort = new AbortController();
    this.#enter('starting');
    this.#running = this.#run(this.#abort.signal);
  }

  /** Resolves when the item under way has been taken. A failure stays visible. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    if (this.#state !== 'failed') this.#enter('stopped');
  }

  async #run(signal: AbortSignal): Promise<void> {
    let attempt = 0;
    while (!signal.aborted) {
      try {
        const after = await this.consumer.resume();
        this.#enter('catchingUp');
        for await (const item of this.deps.ledger.feed(after, signal)) {
          await this.#take(item);
          attempt = 0;
        }
        if (!signal.aborted) throw new KcmError('ledger_unavailable', 'The feed ended by itself.');
      } catch (error) {
        if (signal.aborted) return;
        const again = error instanceof KcmError && AGAIN.has(error.code);
        this.#enter(again ? 'waiting' : 'failed', error);
        if (!again) return;
        const ms = fullJitterMs(this.deps.random, attempt, RETRY_MS_MIN, RETRY_MS_MAX);
        attempt += 1;
        await this.#sleep(ms, signal);
      }
    }
  }

  async #take(item: FeedItem): Promise<void> {
    switch (item.kind) {
      case 'events':
        return this.consumer.events(item.events);
      case 'passed':
        return this.consumer.passed(item.position);
      case 'fellBehind':
        this.#enter('catchingUp');
        return;
      case 'caughtUp':
        await this.consumer.caughtUp();
        this.#enter('live');
    }
  }

  #enter(state: FeedState, error: unknown = null): void {
    this.#state = state;
    this.#error = error;
    if (error !== null) this.deps.report(error, state);
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.deps.scheduler.after(ms, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
