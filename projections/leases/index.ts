import type { CallsEvent, Grant, Recorded } from '@kcm/domain';
import type { Projection } from '@kcm/read-models';
import { docKey } from '../doc-key.js';

/** The last grant of one boot of one holder on one key version. */
export interface LeaseDoc extends Grant {
  readonly tenant: string;
  /** Of the first grant and of the last renewal. */
  readonly grantedAt: string;
  readonly renewedAt: string | null;
  readonly renewals: number;
}
type LeaseEvent = Recorded<Extract<CallsEvent, { type: 'LeasesGranted' | 'LeasesRenewed' }>>;

const keyOf = (event: LeaseEvent, { holder, boot, key, version }: Grant) =>
  docKey(event.meta.tenant ?? '', holder, boot, key, version);

/**
 * Who holds a lease until when; over once `endsAt` has passed, and no event says so.
 * Key: tenant/holder/boot/key/version.
 */
export const leases: Projection<LeaseDoc | null, LeaseEvent> = {
  name: 'leases',
  version: 1,
  handles: ['LeasesGranted', 'LeasesRenewed'],
  keys: (event) => [...new Set(event.data.grants.map((grant) => keyOf(event, grant)))],
  initial: () => null,
  evolve(doc, event, key) {
    let lease = doc;
    const at = event.meta.occurredAt;
    for (const grant of event.data.grants) {
      if (keyOf(event, grant) !== key) continue;
      const fresh = event.type === 'LeasesGranted' || lease === null;
      lease = {
        tenant: event.meta.tenant ?? '',
        ...grant,
        grantedAt: fresh ? at : lease!.grantedAt,
        renewedAt: fresh ? null : at,
        renewals: fresh ? 0 : lease!.renewals + 1,
      };
    }
    return lease;
  },
  indexes: [{ fields: ['tenant', 'endsAt'] }, { fields: ['holder'] }],
};
