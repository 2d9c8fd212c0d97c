import {
  type Clock,
  KcmError,
  LIMITS,
  type NewEvent,
  type OneOrMore,
  type StreamId,
} from '@kcm/kernel';
import { LedgerConflict, LedgerFull, LedgerMoved, LedgerOutcomeUnknown } from './errors.js';
import type { Appended, Expected } from './ledger.js';
import { LedgerAround, type WholeLedger } from './ledger-around.js';

/** `refused`: asked for what no ledger takes (too large, not an event). */
export type AppendOutcome = 'stored' | 'replayed' | 'conflict' | 'refused' | AppendFailure;
type AppendFailure = 'full' | 'moved' | 'unknown' | 'unavailable';
/** How an append failed last; `stalled`: one has been under way for too long. */
export type AppendTrouble = AppendFailure | 'stalled';
/** Must not throw; `seconds` from the call to its answer. */
export type OnAppend = (outcome: AppendOutcome, seconds: number) => void;

const PROVE_MS_MIN = 1_000;

/** A ledger that says of itself how its appends go, and whether it takes any now. */
export class WatchedLedger extends LedgerAround {
  /** When each write that is under way was called, the oldest first. */
  readonly #flying = new Set<{ readonly since: number }>();
  #failed: AppendFailure | null = null;
  #proving = false;
  #provedAt = Number.NEGATIVE_INFINITY;

  constructor(
    ledger: WholeLedger,
    private readonly clock: Clock,
    private readonly onAppend: OnAppend,
  ) {
    super(ledger);
  }

  override async append(
    stream: StreamId,
    expected: Expected,
    events: OneOrMore<NewEvent>,
  ): Promise<Appended> {
    const since = this.clock.monotonicMs();
    try {
      const appended = await this.#flight(since, super.append(stream, expected, events));
      this.#saw(appended.replayed ? 'replayed' : 'stored', since);
      return appended;
    } catch (error) {
      this.#saw(outcomeOf(error), since);
      throw error;
    }
  }

  override async prove(): Promise<void> {
    try {
      await this.#flight(this.clock.monotonicMs(), super.prove());
      this.#failed = null;
    } catch (error) {
      this.#failed = failedAs(outcomeOf(error)) ?? 'unavailable';
      throw error;
    }
  }

  /**
   * Why appends fail, null when they do not, as known now. After a failure the store is asked
   * behind this call, at most once a second, so that it goes away also where nobody dares to append.
   */
  trouble(): AppendTrouble | null {
    if (this.oldestMs() >= LIMITS.ledgerStallMsMax) return 'stalled';
    if (this.#failed !== null) void this.#proveAgain();
    return this.#failed;
  }

  /** Age of the oldest write that is under way; 0 when there is none. */
  oldestMs(): number {
    const [oldest] = this.#flying;
    return oldest === undefined ? 0 : this.clock.monotonicMs() - oldest.since;
  }

  async #proveAgain(): Promise<void> {
    const now = this.clock.monotonicMs();
    if (this.#proving || now - this.#provedAt < PROVE_MS_MIN) return;
    this.#provedAt = now;
    this.#proving = true;
    try {
      await this.prove();
    } catch {
      // Kept as what is known now.
    } finally {
      this.#proving = false;
    }
  }

  async #flight<T>(since: number, work: Promise<T>): Promise<T> {
    const flight = { since };
    this.#flying.add(flight);
    try {
      return await work;
    } finally {
      this.#flying.delete(flight);
    }
  }

  #saw(outcome: AppendOutcome, since: number): void {
    // A conflict or a refusal says nothing about the disk.
    if (outcome === 'stored') this.#failed = null;
    this.#failed = failedAs(outcome) ?? this.#failed;
    this.onAppend(outcome, (this.clock.monotonicMs() - since) / 1000);
  }
}

const FAILURES: readonly string[] = ['full', 'moved', 'unknown', 'unavailable'];
const failedAs = (outcome: AppendOutcome): AppendFailure | null =>
  FAILURES.includes(outcome) ? (outcome as AppendFailure) : null;

function outcomeOf(error: unknown): AppendOutcome {
  if (error instanceof LedgerConflict) return 'conflict';
  if (error instanceof LedgerFull) return 'full';
  if (error instanceof LedgerMoved) return 'moved';
  if (error instanceof LedgerOutcomeUnknown) return 'unknown';
  const refused = error instanceof KcmError && error.code !== 'ledger_unavailable';
  return refused ? 'refused' : 'unavailable';
}
