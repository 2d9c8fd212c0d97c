import type { Recorded, UsageEntry } from '@kcm/domain';
import { KeyedTurns, keyVersionUid } from '@kcm/kernel';
import type { CallJournal, UsageReport } from '../calls/journal.js';
import type { VersionUse } from './version-use.js';

/** So many boots of Edges are remembered: far more than can still repeat a report. */
const BOOTS_KEPT = 10_000;
/** The key of an entry about a service of which the Edge holds nothing. */
const NO_KEY = '-';

/**
 * Each usage report is recorded once, however often an Edge that did not hear of it sends it again,
 * a restart of Core in between included. Reports of one boot come numbered, one after the other.
 */
export class UsageBook {
  /** Highest number recorded, by holder and boot. */
  readonly #recorded = new Map<string, number>();
  readonly #turns = new KeyedTurns();

  constructor(
    private readonly journal: Pick<CallJournal, 'usage'>,
    private readonly uses: Pick<VersionUse, 'claim' | 'granted' | 'unclaim'>,
  ) {}

  /**
   * Durable when it resolves, with how many entries were left out: what a holder says of a version
   * that it was never granted counts for nothing, whatever it signed.
   * @throws LedgerUnavailable · KcmError invalid_request
   */
  record(report: UsageReport): Promise<number> {
    return this.#turns.take(slotOf(report), async () => {
      if (report.seq <= (this.#recorded.get(slotOf(report)) ?? 0)) return 0;
      const own = report.entries.filter((entry) => this.#mayBe(report.holder, entry));
      const claimed = own.map((entry) => this.#claim(entry));
      const entries = claimed.map(({ entry }) => entry);
      try {
        await this.journal.usage({ ...report, entries });
      } catch (error) {
        for (const { uid, fresh } of claimed) this.uses.unclaim(uid, fresh);
        throw error;
      }
      this.#note(report);
      return report.entries.length - own.length;
    });
  }

  /** Folds `UsageReported`; any other event changes nothing. */
  apply(event: Recorded): void {
    if (event.type === 'UsageReported') this.#note(event.data);
  }

  /** Without a key there was none: it can have been refused alone. */
  #mayBe(holder: string, entry: UsageEntry): boolean {
    return entry.key === NO_KEY ? entry.ok === 0 : this.uses.granted(holder, keyVersionUid(entry));
  }

  #claim(entry: UsageEntry) {
    const uid = keyVersionUid(entry);
    const fresh = entry.moved === undefined ? [] : this.uses.claim(uid, entry.moved);
    const counted = entry.moved === undefined ? entry : { ...entry, fresh: fresh.length };
    return { uid, fresh, entry: counted };
  }

  #note(report: Pick<UsageReport, 'holder' | 'boot' | 'seq'>): void {
    const slot = slotOf(report);
    const known = this.#recorded.get(slot) ?? 0;
    // Last in the order of insertion: the oldest boot is the first to be forgotten.
    this.#recorded.delete(slot);
    this.#recorded.set(slot, Math.max(known, report.seq));
    const [oldest] = this.#recorded.keys();
    if (this.#recorded.size > BOOTS_KEPT && oldest !== undefined) this.#recorded.delete(oldest);
  }
}

const slotOf = ({ holder, boot }: Pick<UsageReport, 'holder' | 'boot'>): string =>
  `${holder}/${boot}`;
