import type { Grant, Recorded } from '@kcm/domain';
import { type Clock, Deadline, type LeaseClock, type Reading, type StreamId } from '@kcm/kernel';
import type { Holder } from './lease-desk.js';

interface Held extends Holder {
  readonly service: string;
  /** RFC 3339, as recorded. */
  readonly endsAt: string;
  /** By the monotonic clock. */
  readonly endsAtMs: number;
  /** By `#pastMs`. */
  readonly endsAtPastMs: number;
}
const SWEEP_AT_MIN = 1_024;
const HOLDER = /^edge:(.+)$/;

/** `edge:{id}`: how events name a holder. */
export const holderName = (holder: Holder): string => `edge:${holder.edge}`;

/**
 * Who holds what until when. `leases` decide about material and end with the process or a closing;
 * `holders` are what a revocation must name, and outlive both: an Edge keeps what it was granted.
 * No wall clock of this boot decides about a holder: one that was set, or is another one than that
 * of the boot before, would hide it. A grant of an earlier boot counts from its reading here, so
 * after a restart a holder may be named for one lease longer than it holds.
 */
export class GrantBook {
  readonly #leases = new Map<string, { readonly tenant: string; readonly deadline: Deadline }>();
  readonly #holders = new Map<string, Map<string, Held>>();
  /** Time that passed within earlier boots, by their entries; what lay between two is not in it. */
  #pastMs = 0;
  #before: { readonly stream: string; readonly atMs: number } | null = null;
  #sweepAt = SWEEP_AT_MIN;

  /** @param journal the stream of this boot */
  constructor(
    private readonly journal: StreamId,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
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
    if (edge === undefined) return;
    const now = this.clock.monotonicMs();
    const held = this.#holders.get(tenant) ?? new Map<string, Held>();
    this.#holders.set(tenant, held);
    this.#forgetEnded(held);
    const { boot, service, endsAt, seconds } = grant;
    const slot = `${edge}/${boot}/${service}`;
    const endsAtMs = now + seconds * 1000;
    const endsAtPastMs = this.#pastMs + seconds * 1000;
    if ((held.get(slot)?.endsAtMs ?? 0) < endsAtMs)
      held.set(slot, { edge, boot, service, endsAt, endsAtMs, endsAtPastMs });
  }

  /** Folds `LeasesGranted` and `LeasesRenewed`; any other event changes nothing. */
  apply(event: Recorded): void {
    const { tenant } = event.meta;
    if (event.stream !== this.journal) this.#passed(event);
    if (tenant === null) return;
    if (event.type === 'LeasesGranted' || event.type === 'LeasesRenewed')
      for (const grant of event.data.grants) this.held(tenant, grant);
  }

  holders(
    tenant: string,
    service: string | null,
  ): readonly { readonly edge: string; readonly boot: string; readonly endsAt: string }[] {
    const last = new Map<string, Held>();
    for (const held of this.#holders.get(tenant)?.values() ?? []) {
      if (this.#ended(held) || (service !== null && held.service !== service)) continue;
      const who = `${held.edge}/${held.boot}`;
      if ((last.get(who)?.endsAtMs ?? 0) < held.endsAtMs) last.set(who, held);
    }
    return [...last.values()].map(({ edge, boot, endsAt }) => ({ edge, boot, endsAt }));
  }

  tenantsOf({ edge, boot }: Holder): readonly string[] {
    const holds = (held: Held): boolean =>
      held.edge === edge && held.boot === boot && !this.#ended(held);
    return [...this.#holders.entries()]
      .filter(([, all]) => [...all.values()].some(holds))
      .map(([tenant]) => tenant);
  }

  #ended({ endsAtMs, endsAtPastMs }: Held): boolean {
    return endsAtMs <= this.clock.monotonicMs() || endsAtPastMs <= this.#pastMs;
  }

  #passed({ stream, meta }: Recorded): void {
    const atMs = Date.parse(meta.occurredAt);
    const { stream: before, atMs: since } = this.#before ?? { stream: null, atMs };
    this.#before = { stream, atMs };
    if (before === stream) this.#pastMs += Math.max(0, atMs - since);
    else for (const held of this.#holders.values()) this.#forgetEnded(held);
  }

  #forgetEnded(held: Map<string, Held>): void {
    for (const [slot, one] of held) if (this.#ended(one)) held.delete(slot);
  }

  #sweep(): void {
    if (this.#leases.size < this.#sweepAt) return;
    for (const [slot, { deadline }] of this.#leases) if (!deadline.live) this.#leases.delete(slot);
    this.#sweepAt = Math.max(SWEEP_AT_MIN, 2 * this.#leases.size);
  }
}

const slotOf = ({ edge, boot }: Holder, uid: string): string => `${edge}/${boot}/${uid}`;
