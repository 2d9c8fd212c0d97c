import { type ExposedUses, type Recorded, USES } from '@kcm/domain';
import { keyVersionUid } from '@kcm/kernel';
import type { EffectDeps } from './context.js';

export interface Held {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
  /** RFC 3339: within the time that was asked for. */
  readonly from: string;
  readonly to: string;
}
/** RFC 3339, UTC; `holder` null: whoever it was. */
interface Asked {
  readonly since: string;
  readonly until: string;
  readonly holder: string | null;
}
type Of<T extends Recorded['type']> = Extract<Recorded, { type: T }>;
type Counted = { -readonly [K in keyof ExposedUses]: ExposedUses[K] };

/** What the whole ledger says that a holder had and did in a time. */
export class Exposures {
  /** Versions under a lease of the holder in that time, by uid. */
  readonly held = new Map<string, Held>();
  readonly #uses = new Map<string, Counted>();

  private constructor(private readonly asked: Asked) {}

  /** @throws LedgerUnavailable · UnknownEventType */
  static async read(
    { ledger, catalog }: Pick<EffectDeps, 'ledger' | 'catalog'>,
    asked: Asked,
  ): Promise<Exposures> {
    const exposures = new Exposures(asked);
    for await (const item of ledger.feed('start', new AbortController().signal)) {
      if (item.kind === 'caughtUp') break;
      if (item.kind === 'events')
        for (const event of item.events) exposures.#fold(catalog.upcast(event) as Recorded);
    }
    return exposures;
  }

  uses({ tenant, key, version }: Omit<Held, 'from' | 'to'>): ExposedUses {
    return this.#of(keyVersionUid({ tenant, key, version }));
  }

  #fold(event: Recorded): void {
    switch (event.type) {
      case 'LeasesGranted':
      case 'LeasesRenewed':
        return this.#leased(event);
      case 'UsageReported':
        return this.#reported(event);
      default:
        return;
    }
  }

  #leased({ data, meta }: Of<'LeasesGranted' | 'LeasesRenewed'>): void {
    const { since, until, holder } = this.asked;
    const tenant = meta.tenant ?? '';
    for (const { key, version, endsAt, ...grant } of data.grants) {
      if (grant.holder !== holder || endsAt < since || meta.occurredAt > until) continue;
      const uid = keyVersionUid({ tenant, key, version });
      const from = later(meta.occurredAt, since);
      const to = later(this.held.get(uid)?.to ?? '', endsAt > until ? until : endsAt);
      this.held.set(uid, { tenant, key, version, from: this.held.get(uid)?.from ?? from, to });
    }
  }

  #reported({ data }: Of<'UsageReported'>): void {
    const { since, until, holder } = this.asked;
    const within = data.to >= since && data.from <= until;
    const counts = within && (holder === null || data.holder === holder);
    for (const { operation, ok, ...version } of data.entries) {
      const { protects, opens, exports } = USES[operation];
      const of = this.#of(keyVersionUid(version));
      if (protects) of.protectedInAll += ok;
      if (!counts) continue;
      if (protects) of.protected += ok;
      if (opens) of.opened += ok;
      if (exports) of.exported += ok;
    }
  }

  #of(uid: string): Counted {
    let uses = this.#uses.get(uid);
    if (uses === undefined) {
      uses = { protected: 0, opened: 0, exported: 0, protectedInAll: 0 };
      this.#uses.set(uid, uses);
    }
    return uses;
  }
}

const later = (a: string, b: string): string => (a > b ? a : b);
