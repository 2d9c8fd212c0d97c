import {
  type Clock,
  KcmError,
  type NewEvent,
  type OneOrMore,
  type Position,
  type Revision,
  type StreamId,
} from '@kcm/kernel';
import { LedgerConflict, LedgerFull, LedgerOutcomeUnknown } from './errors.js';
import type { Appended, Expected, FilteredFeed, Ledger, ProvableLedger } from './ledger.js';

/** `refused`: asked for what no ledger takes (too large, not an event). */
export type AppendOutcome =
  'stored' | 'replayed' | 'conflict' | 'full' | 'unknown' | 'unavailable' | 'refused';
export type AppendTrouble = Extract<AppendOutcome, 'full' | 'unknown' | 'unavailable'>;
/** Must not throw; `seconds` from the call to its answer. */
export type OnAppend = (outcome: AppendOutcome, seconds: number) => void;

type Whole = Ledger & FilteredFeed & ProvableLedger;
const PROVE_MS_MIN = 1_000;

/** A ledger that says of itself how its appends go, and whether it takes any now. */
export class WatchedLedger implements Whole {
  #trouble: AppendTrouble | null = null;
  #proving: Promise<void> | null = null;
  #provedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly ledger: Whole,
    private readonly clock: Clock,
    private readonly onAppend: OnAppend,
  ) {}

  get id() {
    return this.ledger.id;
  }

  async append(
    stream: StreamId,
    expected: Expected,
    events: OneOrMore<NewEvent>,
  ): Promise<Appended> {
    const since = this.clock.monotonicMs();
    try {
      const appended = await this.ledger.append(stream, expected, events);
      this.#saw(appended.replayed ? 'replayed' : 'stored', since);
      return appended;
    } catch (error) {
      this.#saw(outcomeOf(error), since);
      throw error;
    }
  }

  /**
   * Why appends fail, null when they do not. After a failure the store is asked, at most once a
   * second, so that this goes away also where nobody dares to append. Never throws.
   */
  async trouble(): Promise<AppendTrouble | null> {
    if (this.#trouble === null) return null;
    const now = this.clock.monotonicMs();
    if (this.#proving === null && now - this.#provedAt >= PROVE_MS_MIN) {
      this.#provedAt = now;
      this.#proving = this.prove()
        .catch(() => undefined)
        .finally(() => (this.#proving = null));
    }
    await this.#proving;
    return this.#trouble;
  }

  async prove(): Promise<void> {
    try {
      await this.ledger.prove();
      this.#trouble = null;
    } catch (error) {
      this.#trouble = troubleOf(outcomeOf(error)) ?? 'unavailable';
      throw error;
    }
  }

  readStream(stream: StreamId, from: Revision, maxCount: number) {
    return this.ledger.readStream(stream, from, maxCount);
  }
  feed(after: Position | 'start', signal: AbortSignal) {
    return this.ledger.feed(after, signal);
  }
  feedOf(categories: OneOrMore<string>, after: Position | 'start', signal: AbortSignal) {
    return this.ledger.feedOf(categories, after, signal);
  }
  head() {
    return this.ledger.head();
  }
  close() {
    return this.ledger.close();
  }

  #saw(outcome: AppendOutcome, since: number): void {
    // A conflict or a refusal says nothing about the disk.
    if (outcome === 'stored') this.#trouble = null;
    this.#trouble = troubleOf(outcome) ?? this.#trouble;
    this.onAppend(outcome, (this.clock.monotonicMs() - since) / 1000);
  }
}

const troubleOf = (outcome: AppendOutcome): AppendTrouble | null =>
  outcome === 'full' || outcome === 'unknown' || outcome === 'unavailable' ? outcome : null;

function outcomeOf(error: unknown): AppendOutcome {
  if (error instanceof LedgerConflict) return 'conflict';
  if (error instanceof LedgerFull) return 'full';
  if (error instanceof LedgerOutcomeUnknown) return 'unknown';
  const refused = error instanceof KcmError && error.code !== 'ledger_unavailable';
  return refused ? 'refused' : 'unavailable';
}
