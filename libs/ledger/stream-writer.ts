import {
  KcmError,
  LIMITS,
  type NewEvent,
  oneOrMore,
  type Position,
  type Scheduler,
  type StreamId,
} from '@kcm/kernel';
import { LedgerConflict, LedgerOutcomeUnknown, LedgerUnavailable } from './errors.js';
import type { Appended, Expected, Ledger } from './ledger.js';

interface Entry {
  readonly event: NewEvent;
  /** `now`: fails when the ledger cannot take it. `eventually`: kept until it can. */
  readonly need: 'now' | 'eventually';
  readonly resolve: (position: Position) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The one writer of one new stream: group commit, one append in flight while the next batch
 * collects. A conflict means that another process writes here: it stops for good and says so once.
 */
export class StreamWriter {
  #queue: Entry[] = [];
  #expected: Expected = 'noStream';
  #draining: Promise<void> | null = null;
  #stopped = false;
  #ending = false;
  #failures = 0;

  constructor(
    private readonly ledger: Ledger,
    readonly stream: StreamId,
    private readonly scheduler: Scheduler,
    private readonly onReplaced: () => void,
  ) {}

  /**
   * Resolves once the event is durable, with a position at or after its own.
   * @throws LedgerUnavailable when the ledger cannot take it now or the queue is full
   */
  write(event: NewEvent): Promise<Position> {
    return new Promise((resolve, reject) => {
      this.#push({ event, need: 'now', resolve, reject });
    });
  }

  /** Written in its turn, however long the ledger is away; lost only with the process. */
  later(event: NewEvent): void {
    this.#push({ event, need: 'eventually', resolve: () => {}, reject: () => {} });
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Resolves when nothing is on its way any more. */
  async idle(): Promise<void> {
    while (this.#draining !== null) await this.#draining;
  }

  /** As `idle`, for the end of the process: what the ledger refuses from now on is lost with it. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.idle();
  }

  #push(entry: Entry): void {
    if (this.#stopped || this.#queue.length >= LIMITS.journalQueueMax) {
      entry.reject(new LedgerUnavailable('The journal of this process takes no more entries.'));
      return;
    }
    this.#queue.push(entry);
    this.#start();
  }

  #start(): void {
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = null;
      // Whoever was told of the last append may have written since.
      if (this.#queue.length > 0 && !this.#stopped) this.#start();
    });
  }

  async #drain(): Promise<void> {
    // One turn of the event loop's microtasks lets callers of the same tick share an append.
    await Promise.resolve();
    while (this.#queue.length > 0 && !this.#stopped) {
      const batch = this.#queue.splice(0, LIMITS.eventsPerAppendMax);
      const appended = await this.#append(batch);
      if (appended === null) continue;
      this.#failures = 0;
      this.#expected = appended.revision;
      for (const entry of batch) entry.resolve(appended.position);
    }
  }

  /** null: the batch was not stored and has been dealt with. */
  async #append(batch: readonly Entry[]): Promise<Appended | null> {
    const events = oneOrMore(batch.map((entry) => entry.event))!;
    for (let inDoubt = false; ;) {
      try {
        return await this.ledger.append(this.stream, this.#expected, events);
      } catch (error) {
        if (error instanceof LedgerConflict) return this.#replaced(batch);
        if (this.#ending) return this.#lost(batch, error);
        // Perhaps stored: only the same append again, with the same ids, can tell.
        inDoubt ||= error instanceof LedgerOutcomeUnknown;
        if (!inDoubt) this.#giveBack(batch, error);
        await this.#pause();
        if (!inDoubt || this.#stopped) return null;
      }
    }
  }

  #giveBack(batch: readonly Entry[], error: unknown): void {
    const reason =
      error instanceof KcmError ? error : new LedgerUnavailable('The journal is closed.', error);
    for (const entry of batch) if (entry.need === 'now') entry.reject(reason);
    for (const entry of this.#queue) if (entry.need === 'now') entry.reject(reason);
    const kept = (entry: Entry) => entry.need === 'eventually';
    this.#queue = [...batch.filter(kept), ...this.#queue.filter(kept)];
  }

  #lost(batch: readonly Entry[], error: unknown): null {
    this.#stopped = true;
    const reason = new LedgerUnavailable('The journal is closed.', error);
    for (const entry of [...batch, ...this.#queue]) entry.reject(reason);
    this.#queue = [];
    return null;
  }

  #replaced(batch: readonly Entry[]): null {
    this.#stopped = true;
    const reason = new LedgerUnavailable('Another process has taken this one’s place.');
    for (const entry of [...batch, ...this.#queue]) entry.reject(reason);
    this.#queue = [];
    this.onReplaced();
    return null;
  }

  #pause(): Promise<void> {
    const ms = Math.min(LIMITS.retryMsMax, LIMITS.retryMsMin * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    return new Promise((resolve) => {
      this.scheduler.after(ms, resolve);
    });
  }
}
