import { LIMITS, type NewEvent, oneOrMore, type Revision, type StreamId } from '@kcm/kernel';
import { LedgerConflict, LedgerOutcomeUnknown } from './errors.js';
import type { Appended, Ledger } from './ledger.js';

interface Waiting {
  readonly event: NewEvent;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The only writer of one new stream: collects what is written while an append is on its way, one
 * append a commit window. An append that conflicts means that somebody else writes the stream:
 * this process has been replaced, and everything from then on is refused.
 */
export class StreamWriter {
  readonly #waiting: Waiting[] = [];
  #revision: Revision = -1;
  #busy = false;
  #replaced: LedgerConflict | null = null;

  constructor(
    private readonly ledger: Ledger,
    readonly stream: StreamId,
    private readonly onReplaced: () => void = () => {},
  ) {}

  /** Durable when it resolves. @throws LedgerConflict (replaced) · the ledger's errors */
  write(event: NewEvent): Promise<Appended> {
    if (this.#replaced) return Promise.reject(this.#replaced);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject });
      if (!this.#busy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, LIMITS.eventsPerAppendMax);
      try {
        const appended = await this.#append(batch.map((row) => row.event));
        this.#revision = appended.revision;
        for (const row of batch) row.resolve(appended);
      } catch (error) {
        for (const row of batch) row.reject(error);
        if (error instanceof LedgerConflict) this.#stop(error);
      }
    }
    this.#busy = false;
  }

  async #append(events: readonly NewEvent[]): Promise<Appended> {
    const expected = this.#revision < 0 ? 'noStream' : this.#revision;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.ledger.append(this.stream, expected, oneOrMore(events)!);
      } catch (error) {
        const again = error instanceof LedgerOutcomeUnknown && attempt < LIMITS.conflictRetriesMax;
        if (!again) throw error;
      }
    }
  }

  #stop(conflict: LedgerConflict): void {
    this.#replaced = conflict;
    for (const row of this.#waiting.splice(0)) row.reject(conflict);
    this.onReplaced();
  }
}
