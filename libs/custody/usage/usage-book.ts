import type { Recorded, UsageEntry } from '@kcm/domain';
import { KeyedTurns, keyVersionUid } from '@kcm/kernel';
import type { CallJournal, UsageReport } from '../calls/journal.js';
import type { VersionUse } from './version-use.js';

/** So many boots of Edges are remembered: far more than can still repeat a report. */
const BOOTS_KEPT = 10_000;

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
    private readonly uses: Pick<VersionUse, 'claim' | 'unclaim'>,
  ) {}

  /** Durable when it resolves. @throws LedgerUnavailable · KcmError invalid_request */
  record(report: UsageReport): Promise<void> {
    return this.#turns.take(slotOf(report), async () => {
      if (report.seq <= (this.#recorded.get(slotOf(report)) ?? 0)) return;
      const claimed = report.entries.map((entry) => this.#claim(entry));
      const entries = claimed.map(({ entry }) => entry);
      try {
        await this.journal.usage({ ...report, entries });
      } catch (error) {
        for (const { uid, fresh } of claimed) this.uses.unclaim(uid, fresh);
        throw error;
      }
      this.#note(report);
    });
  }

  /** Folds `UsageReported`; any other event changes nothing. */
  apply(event: Recorded): void {
    if (event.type === 'UsageReported') this.#note(event.data);
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
