import { type Grant, type Recorded, USES } from '@kcm/domain';
import { type Clock, keyVersionUid } from '@kcm/kernel';

type Report = Extract<Recorded, { type: 'UsageReported' }>['data'];

/** What still hangs from a key version, as far as its holders told. */
export interface InUse {
  /** Records and data keys protected by it and not moved to a newer version. */
  readonly inUse: number;
  /** Boots of Edges that protected with it, or could have, and have not told all of it. */
  readonly unreported: number;
  /** Of those, the ones whose lease may still run: they may protect with it yet. */
  readonly live: number;
}
interface Open {
  /** The last grant to protect. */
  readonly grantId: string;
  /** By the monotonic clock, counted from when it was folded: never too early. */
  endsAtMs: number;
}
interface Use {
  protected: number;
  /** Each thing that was moved off, once, however often it was moved. */
  readonly moved: Set<string>;
  /** By holder and boot: those who may have more to tell. */
  readonly open: Map<string, Open>;
}

/**
 * What hangs from each version of each L3, folded from grants to protect and from reports of what
 * was done with them. A boot that was allowed to protect counts as having more to tell until it
 * says of that very grant that it is over, or that it says no more at all; one that died never
 * does; no clock decides that.
 */
export class VersionUse {
  readonly #uses = new Map<string, Use>();
  /** Who was ever granted the version, to protect or not. */
  readonly #holders = new Map<string, Set<string>>();
  /** Number of the last report, by holder and boot; null: one is missing, nothing more is believed. */
  readonly #reported = new Map<string, number | null>();

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  of(tenant: string, key: string, version: number): InUse {
    const use = this.#uses.get(keyVersionUid({ tenant, key, version }));
    if (use === undefined) return { inUse: 0, unreported: 0, live: 0 };
    const now = this.clock.monotonicMs();
    const live = [...use.open.values()].filter(({ endsAtMs }) => endsAtMs > now).length;
    const inUse = Math.max(0, use.protected - use.moved.size);
    return { inUse, unreported: use.open.size, live };
  }

  /** Whether this holder, in whichever boot, was ever granted the version. */
  granted(holder: string, uid: string): boolean {
    return this.#holders.get(uid)?.has(holder) ?? false;
  }

  /** Those of these that were not known to have been moved off the version; they are from now. */
  claim(uid: string, moved: readonly string[]): readonly string[] {
    const known = this.#of(uid).moved;
    const fresh = moved.filter((id) => !known.has(id));
    for (const id of fresh) known.add(id);
    return [...new Set(fresh)];
  }

  /** What was claimed could not be recorded. */
  unclaim(uid: string, fresh: readonly string[]): void {
    for (const id of fresh) this.#of(uid).moved.delete(id);
  }

  /** Folds grants and reports; any other event changes nothing. */
  apply(event: Recorded): void {
    switch (event.type) {
      case 'LeasesGranted':
      case 'LeasesRenewed':
        for (const grant of event.data.grants) this.#granted(event.meta.tenant ?? '', grant);
        return;
      case 'UsageReported':
        this.#told(event.data);
        return;
      default:
        return;
    }
  }

  /** Nothing is asked of a version that is destroyed. */
  forget(tenant: string, key: string, version: number): void {
    this.#uses.delete(keyVersionUid({ tenant, key, version }));
  }

  /** As `forget`, of each version that this says is destroyed: their reports were folded again. */
  forgetWhere(isDestroyed: (uid: string) => boolean): void {
    for (const uid of this.#uses.keys()) if (isDestroyed(uid)) this.#uses.delete(uid);
  }

  #granted(tenant: string, grant: Grant): void {
    const { holder, boot, key, version, grantId, protects, seconds } = grant;
    const uid = keyVersionUid({ tenant, key, version });
    const holders = this.#holders.get(uid) ?? new Set();
    this.#holders.set(uid, holders.add(holder));
    const endsAtMs = this.clock.monotonicMs() + seconds * 1000;
    const { open } = this.#of(uid);
    const slot = slotOf(holder, boot);
    const held = open.get(slot);
    // A renewal allows nothing more, and what was allowed before it for longer.
    if (protects !== false) open.set(slot, { grantId, endsAtMs });
    else if (held !== undefined) held.endsAtMs = endsAtMs;
  }

  #told({ holder, boot, seq, entries, closed = [], last }: Report): void {
    const slot = slotOf(holder, boot);
    const before = this.#reported.has(slot) ? this.#reported.get(slot)! : 0;
    const whole = before !== null && seq === before + 1;
    this.#reported.set(slot, whole ? seq : null);
    for (const { tenant, key, version, operation, ok, moved = [] } of entries) {
      const use = this.#of(keyVersionUid({ tenant, key, version }));
      if (USES[operation].protects === true) use.protected += ok;
      for (const id of moved) use.moved.add(id);
    }
    if (!whole) return;
    for (const { uid, grantId } of closed) {
      const open = this.#uses.get(uid)?.open;
      if (open?.get(slot)?.grantId === grantId) open.delete(slot);
    }
    if (last !== true) return;
    for (const { open } of this.#uses.values()) open.delete(slot);
    this.#reported.delete(slot);
  }

  #of(uid: string): Use {
    let use = this.#uses.get(uid);
    if (use === undefined) {
      use = { protected: 0, moved: new Set(), open: new Map() };
      this.#uses.set(uid, use);
    }
    return use;
  }
}

const slotOf = (holder: string, boot: string): string => `${holder}/${boot}`;
