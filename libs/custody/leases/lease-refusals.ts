import { type Clock, type Code, LIMITS, type Random, TokenBucket, uuidv4 } from '@kcm/kernel';
import type { CoreView } from '../core-view.js';
import { holderName } from './grant-book.js';
import type { CallJournal } from '../calls/journal.js';
import type { Holder, LeaseRefusal } from './lease-desk.js';

/** What makes a holder drop at once; everything else lets an old lease run to its end. */
const DENIED: ReadonlySet<Code> = new Set<Code>([
  'not_found',
  'forbidden',
  'root_key_disabled',
  'root_key_not_found',
  'root_key_forbidden',
  'root_key_pending_deletion',
  'tenant_suspended',
  'tenant_read_only',
  'tenant_blocked',
  'tenant_killed',
  'tenant_not_active',
  'key_compromised',
  'key_archived',
  'key_destroyed',
]);

export const refusalOf = (code: Code, effect?: LeaseRefusal['effect']): LeaseRefusal => ({
  ok: false,
  effect: effect ?? (DENIED.has(code) ? 'denied' : 'indeterminate'),
  code,
});

/** Records refused leases, up to a rate for each Edge: a broken one must not fill the ledger. */
export class LeaseRefusals {
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(
    private readonly deps: {
      readonly view: Pick<CoreView, 'tenant'>;
      readonly journal: Pick<CallJournal, 'refused'>;
      readonly clock: Clock;
      readonly random: Random;
    },
  ) {}

  /** Hands the refusal back. An unknown tenant's name is not written down as if it were one. */
  recorded(
    holder: Holder,
    of: {
      readonly tenant: string | null;
      readonly key: string | null;
      readonly service: string | null;
    },
    refusal: LeaseRefusal,
  ): LeaseRefusal {
    const { view, journal, clock, random } = this.deps;
    const now = clock.monotonicMs();
    const { leaseRefusalsAtOnceMax: atOnce, leaseRefusalsPerSecondMax: perSecond } = LIMITS;
    const bucket = this.#buckets.get(holder.edge) ?? new TokenBucket(atOnce, perSecond, now);
    this.#buckets.set(holder.edge, bucket);
    if (!bucket.take(now)) return refusal;
    const { key, service } = of;
    const known = of.tenant !== null && view.tenant(of.tenant).status !== 'absent';
    journal.refused(
      known ? of.tenant : null,
      { holder: holderName(holder), key, service, code: refusal.code },
      uuidv4(random),
    );
    return refusal;
  }
}
