import type { Grant, Recorded } from '@kcm/domain';
import { type Clock, Deadline, type LeaseClock, type Reading } from '@kcm/kernel';
import type { Holder } from './lease-desk.js';

interface Held extends Holder {
  readonly service: string;
  /** RFC 3339, as recorded. */
  readonly endsAt: string;
  /** By the monotonic clock: a wall clock that is set neither hides a holder nor keeps it. */
  readonly endsAtMs: number;
}
const SWEEP_AT_MIN = 1_024;
const HOLDER = /^edge:(.+)$/;

/** `edge:{id}`: how events name a holder. */
export const holderName = (holder: Holder): string => `edge:${holder.edge}`;

/**
 * Who holds what until when. `leases` decide about material and end with the process or a closing;
 * `holders` are what a revocation must name, and outlive both: an Edge keeps what it was granted.
 */
export class GrantBook {
  readonly #leases = new Map<string, { readonly tenant: string; readonly deadline: Deadline }>();
  readonly #holders = new Map<string, Map<string, Held>>();
  #sweepAt = SWEEP_AT_MIN;

  constructor(
    private readonly clock: Clock,
    private readonly leaseClock: LeaseClock,
  ) {}

  /** `since`: when the remaining time was read, before the grant was recorded. */
  lease(holder: Holder, tenant: string, uid: string, since: Reading, seconds: number): void {
    this.#sweep();
    const deadline = new Deadline(this.leaseClock, since, seconds * 1000);
    this.#leases.set(slotOf(holder, uid), { tenant, deadline });
  }

  live(holder: Holder, uid: string): boolean {
    return this.#leases.get(slotOf(holder, uid))?.deadline.live ?? false;
  }

  /** No material under what was granted before; the holders stay named. */
  end(tenant: string | null): void {
    for (const [slot, lease] of this.#leases)
      if (tenant === null || lease.tenant === tenant) this.#leases.delete(slot);
  }

  /** From Core's own grants as they are recorded, and after a restart from the ledger's. */
  held(
    tenant: string,
    grant: Pick<Grant, 'holder' | 'boot' | 'service' | 'seconds' | 'endsAt'>,
  ): void {
    const edge = HOLDER.exec(grant.holder)?.[1];
    const left = Math.min(Date.parse(grant.endsAt) - this.clock.wallMs(), grant.seconds * 1000);
    if (edge === undefined || !(left > 0)) return;
    const now = this.clock.monotonicMs();
    const held = this.#holders.get(tenant) ?? new Map<string, Held>();
    this.#holders.set(tenant, held);
    for (const [slot, one] of held) if (one.endsAtMs <= now) held.delete(slot);
    const { boot, service, endsAt } = grant;
    const slot = `${edge}/${boot}/${service}`;
    const endsAtMs = now + left;
    if ((held.get(slot)?.endsAtMs ?? 0) < endsAtMs)
      held.set(slot, { edge, boot, service, endsAt, endsAtMs });
  }

  /** Folds `LeasesGranted` and `LeasesRenewed`; any other event changes nothing. */
  apply(event: Recorded): void {
    const { tenant } = event.meta;
    if (tenant === null) return;
    if (event.type === 'LeasesGranted' || event.type === 'LeasesRenewed')
      for (const grant of event.data.grants) this.held(tenant, grant);
  }

  holders(
    tenant: string,
    service: string | null,
  ): readonly { readonly edge: string; readonly boot: string; readonly endsAt: string }[] {
    const now = this.clock.monotonicMs();
    const last = new Map<string, Held>();
    for (const held of this.#holders.get(tenant)?.values() ?? []) {
      if (held.endsAtMs <= now || (service !== null && held.service !== service)) continue;
      const who = `${held.edge}/${held.boot}`;
      if ((last.get(who)?.endsAtMs ?? 0) < held.endsAtMs) last.set(who, held);
    }
    return [...last.values()].map(({ edge, boot, endsAt }) => ({ edge, boot, endsAt }));
  }

  tenantsOf({ edge, boot }: Holder): readonly string[] {
    const now = this.clock.monotonicMs();
    const holds = (held: Held): boolean =>
      held.edge === edge && held.boot === boot && held.endsAtMs > now;
    return [...this.#holders.entries()]
      .filter(([, all]) => [...all.values()].some(holds))
      .map(([tenant]) => tenant);
  }

  #sweep(): void {
    if (this.#leases.size < this.#sweepAt) return;
    for (const [slot, { deadline }] of this.#leases) if (!deadline.live) this.#leases.delete(slot);
    this.#sweepAt = Math.max(SWEEP_AT_MIN, 2 * this.#leases.size);
  }
}

const slotOf = ({ edge, boot }: Holder, uid: string): string => `${edge}/${boot}/${uid}`;
