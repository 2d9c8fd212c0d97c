import { Secret } from '@kcm/crypto';
import type { Holder, L3Lease, L3Ref, LeaseDesk, LeaseRefusal } from '@kcm/custody';

/** The one service key that a {@link TestDesk} knows, in two versions. */
export const BILLING = {
  uid: 'acme/l3-0123456789ab/2',
  oldUid: 'acme/l3-0123456789ab/1',
  policy: { ttlSeconds: 5, maxUses: 100, maxAgeSeconds: 30, off: false },
} as const;

const CURRENT = { ok: true, uid: BILLING.uid, state: 'active', archived: false } as const;

export const refused = (code: LeaseRefusal['code'], effect: LeaseRefusal['effect'] = 'denied') =>
  ({ ok: false, code, effect }) as const;

/** A desk that plays by its contract and writes down what it was asked. */
export class TestDesk implements LeaseDesk {
  readonly asked: unknown[] = [];
  readonly key = Secret.copy(Buffer.alloc(32, 0x5a));
  located: L3Ref | LeaseRefusal | null = null;
  answer: LeaseRefusal | Partial<L3Lease> | Error = {};
  held: LeaseRefusal | null = null;
  holding: ReturnType<LeaseDesk['holders']> = [];

  locate(_holder: Holder, tenant: string, service: string) {
    const known = tenant === 'acme' && service === 'billing';
    return Promise.resolve(this.located ?? (known ? CURRENT : refused('not_found')));
  }
  lease(holder: Holder, uid: string, kind: 'grant' | 'renew', allocation: number | null) {
    this.asked.push({ ...holder, uid, kind, allocation });
    if (this.answer instanceof Error) return Promise.reject(this.answer);
    if ('effect' in this.answer) return Promise.resolve(this.answer);
    if (uid !== BILLING.uid && uid !== BILLING.oldUid) return Promise.resolve(refused('forbidden'));
    if (allocation !== null && this.answer.access === 'readOnly')
      return Promise.resolve(refused('tenant_read_only'));
    const old = uid === BILLING.oldUid;
    return Promise.resolve({
      ok: true,
      uid,
      tenant: 'acme',
      service: 'billing',
      key: 'l3-0123456789ab',
      version: old ? 1 : 2,
      state: old ? 'deactivated' : 'active',
      compromisedSince: null,
      at: {},
      access: 'open',
      mayProcess: true,
      mayExport: false,
      seconds: 9,
      term: 1,
      epoch: 4,
      grantId: 'grant-1',
      callId: 'call-1',
      providerRequestId: 'their-1',
      replaces: old ? null : BILLING.oldUid,
      replacedBy: old ? BILLING.uid : null,
      ...this.answer,
    } as L3Lease);
  }
  material() {
    return this.held ?? this.key;
  }
  leasedPolicy: ReturnType<LeaseDesk['policy']> = BILLING.policy;
  policy() {
    return this.leasedPolicy;
  }
  holders() {
    return this.holding;
  }
  tenantsOf({ edge, boot }: Holder) {
    return this.holding.some((held) => held.edge === edge && held.boot === boot) ? ['acme'] : [];
  }
}
