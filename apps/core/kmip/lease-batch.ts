import type { Holder, L3Lease, LeaseDesk } from '@kcm/custody';
import { keyRefusal } from '@kcm/domain';
import { KmipFailure, ResultReason } from '@kcm/kmip';
import type { Batch, Peer } from '@kcm/kmip/server';
import { denied, failureOf, invalid } from './refusals.js';

interface BatchLease {
  readonly lease: L3Lease;
  readonly allocation: number | null;
  allocated: boolean;
}

/**
 * The leases of one message. Obtain Lease is the one call of the desk; what the later items of the
 * same batch answer is what that call said, so that they cannot disagree.
 */
export class LeaseBatches {
  readonly #batches = new WeakMap<Batch<Peer>, Map<string, BatchLease>>();

  constructor(private readonly desk: LeaseDesk) {}

  /** Grants if the batch goes on to get the key, else renews. @throws KmipFailure */
  async obtain(batch: Batch<Peer>, holder: Holder, uid: string): Promise<L3Lease> {
    const leases = this.#of(batch);
    if (leases.has(uid)) throw invalid('one Obtain Lease for each key of a batch');
    const allocation = allocationFor(batch, uid);
    const kind = asks(batch, 'Get', uid) ? 'grant' : 'renew';
    const lease = await this.desk.lease(holder, uid, kind, allocation, batch.traceparent);
    if (!lease.ok) throw failureOf(lease);
    // 0 would mean unlimited (KMIP 1.4 §4.17): no answer at all is better.
    if (!Number.isInteger(lease.seconds) || lease.seconds < 1)
      throw failureOf({ effect: 'indeterminate', code: 'lease_expired' });
    leases.set(uid, { lease, allocation, allocated: false });
    return lease;
  }

  /** The lease that this batch obtained. @throws KmipFailure(IllegalOperation) */
  leased(batch: Batch<Peer>, uid: string): L3Lease {
    return this.#need(batch, uid).lease;
  }

  /** Confirms the allocation that the lease was granted with. @throws KmipFailure */
  allocate(batch: Batch<Peer>, uid: string): void {
    const held = this.#need(batch, uid);
    if (held.allocated || held.allocation === null)
      throw invalid('one Get Usage Allocation for each key, after its Obtain Lease');
    if (held.lease.access !== 'open') throw denied('tenant_read_only');
    const code = keyRefusal({ state: held.lease.state }, 'protect');
    if (code !== null) throw failureOf({ effect: 'denied', code });
    held.allocated = true;
  }

  #need(batch: Batch<Peer>, uid: string): BatchLease {
    const held = this.#batches.get(batch)?.get(uid);
    if (held === undefined)
      throw new KmipFailure(
        ResultReason.IllegalOperation,
        'obtain a lease in the same batch first',
      );
    return held;
  }

  #of(batch: Batch<Peer>): Map<string, BatchLease> {
    let leases = this.#batches.get(batch);
    if (leases === undefined) this.#batches.set(batch, (leases = new Map()));
    return leases;
  }
}

/** Whether an item of the batch means this key; one without an identifier means the placeholder. */
const asks = (batch: Batch<Peer>, operation: 'Get' | 'GetUsageAllocation', uid: string): boolean =>
  batch.requests.some((request) => means(batch, request, operation, uid));

const means = (
  batch: Batch<Peer>,
  request: Batch<Peer>['requests'][number],
  operation: 'Get' | 'GetUsageAllocation',
  uid: string,
): boolean =>
  !(request instanceof KmipFailure) &&
  request.operation === operation &&
  (request.payload.uniqueIdentifier ?? batch.idPlaceholder) === uid;

/** @throws KmipFailure when the count is no number that can be counted to */
function allocationFor(batch: Batch<Peer>, uid: string): number | null {
  for (const request of batch.requests) {
    if (!means(batch, request, 'GetUsageAllocation', uid) || !('payload' in request)) continue;
    if (request.operation !== 'GetUsageAllocation') continue;
    const count = Number(request.payload.count);
    if (!Number.isSafeInteger(count)) throw invalid('Usage Limits Count is too large');
    return count;
  }
  return null;
}
