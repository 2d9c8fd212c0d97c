import { type Clock, rfc3339, type Scheduler, systemScheduler, within } from '@kcm/kernel';
import { CORE_VIEW, type Fold, type Lags } from './folds.js';

/** Looked up again after so long, when somebody asks. */
const FRESH_MS = 1_000;
/** An answer waits so long for it. */
const LOOK_MS_MAX = 250;
/** So much younger than now is as good as now. */
const AS_GOOD_AS_NOW_MS = 2_000;

/**
 * How old what is read may be: everything that was recorded until then is in it. Reads go on while
 * the ledger or the projector is away, and then say so.
 */
export class ReadAge {
  /** Wall ms at which this process last heard the ledger. */
  #heardMs: number;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #found: Promise<number | null> = Promise.resolve(null);

  constructor(
    private readonly clock: Clock,
    private readonly lags: Lags,
    private readonly folds: () => readonly Fold[],
    private readonly scheduler: Scheduler = systemScheduler,
  ) {
    this.#heardMs = clock.wallMs();
  }

  /** RFC 3339; null: as of now. Looked up at most once a second. Never throws. */
  async asOf(): Promise<string | null> {
    const now = this.clock.monotonicMs();
    if (now - this.#lookedMs >= FRESH_MS) {
      this.#lookedMs = now;
      this.#found = this.#look();
    }
    const found = await this.#found;
    return found === null ? null : rfc3339(found);
  }

  async #look(): Promise<number | null> {
    const now = this.clock.wallMs();
    const behindMs = await within(this.scheduler, LOOK_MS_MAX, this.#behindMs()).catch(() => null);
    if (typeof behindMs === 'number') this.#heardMs = now;
    const asOf = now - (typeof behindMs === 'number' ? behindMs : now - this.#heardMs);
    return now - asOf > AS_GOOD_AS_NOW_MS ? asOf : null;
  }

  /** Null: the ledger is not heard. @throws its trouble, where the feed has not noticed yet */
  async #behindMs(): Promise<number | null> {
    const folds = this.folds();
    if (folds.some(({ name, state }) => name === CORE_VIEW && state !== 'live')) return null;
    const lags = await Promise.all(folds.map((fold) => this.lags.of(fold)));
    return Math.max(0, ...lags) * 1_000;
  }
}
