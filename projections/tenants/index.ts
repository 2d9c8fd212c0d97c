import {
  defaultPolicy,
  policyOf,
  type AccessEvent,
  type LockKind,
  type Recorded,
  type Scope,
  type TenantEvent,
  type TenantPolicy,
} from '@kcm/domain';
import { never, parseStream, type Revision } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey } from '../doc-key.js';

export interface TenantDoc {
  readonly id: string;
  /** absent: a lock is known and the registration is not. */
  readonly state: 'absent' | 'registered' | 'active' | 'blocked';
  readonly homeRegion: string;
  readonly policy: TenantPolicy;
  /** Sorted. */
  readonly services: readonly string[];
  readonly access: {
    /**
     * No lock is held: all works. Under a lock its kind and scope say what does not; `readOnly`
     * leaves decrypting.
     */
    readonly open: boolean;
    readonly locks: readonly {
      readonly lock: string;
      readonly kind: LockKind;
      readonly scope: Scope;
      readonly cause: string;
      readonly since: string;
    }[];
  };
  readonly epoch: number;
  readonly registeredAt: string | null;
  /** Where unblocking leads back to. */
  readonly was: 'registered' | 'active';
  /** Of the tenant stream: the ETag. −1 while absent. */
  readonly revision: Revision;
}
/** A term is of the ledger that holds the tenant, and no state of the tenant. */
type TenantsEvent = Recorded<TenantEvent | Exclude<AccessEvent, { type: 'TermRaised' }>>;

const accessOf = (locks: TenantDoc['access']['locks']): TenantDoc['access'] => ({
  open: locks.length === 0,
  locks,
});

function evolve(doc: TenantDoc, event: TenantsEvent): TenantDoc {
  const moved = { ...doc, revision: event.revision };
  switch (event.type) {
    case 'TenantRegistered': {
      const { homeRegion } = event.data;
      const policy = policyOf(event.data.policy);
      const registeredAt = event.meta.occurredAt;
      return { ...moved, state: 'registered', homeRegion, policy, registeredAt };
    }
    case 'TenantActivated':
      return { ...moved, state: 'active', was: 'active' };
    case 'TenantBlocked':
      return { ...moved, state: 'blocked' };
    case 'TenantUnblocked':
      return { ...moved, state: doc.was };
    case 'TenantPolicyChanged':
      return { ...moved, policy: policyOf(event.data.policy) };
    case 'ServiceMapped':
      return { ...moved, services: [...doc.services, event.data.service].toSorted() };
    case 'ServiceUnmapped':
      return { ...moved, services: doc.services.filter((id) => id !== event.data.service) };
    case 'LockTaken': {
      const { lock, kind, scope, cause, epoch } = event.data;
      const since = event.meta.occurredAt;
      const locks = [...doc.access.locks, { lock, kind, scope, cause, since }];
      return { ...doc, access: accessOf(locks), epoch };
    }
    case 'LockReleased': {
      const locks = doc.access.locks.filter(({ lock }) => lock !== event.data.lock);
      return { ...doc, access: accessOf(locks), epoch: event.data.epoch };
    }
    default:
      return never(event);
  }
}

/** A tenant with its policy, services and locks. Key: tenant. */
export const tenants: Projection<TenantDoc, TenantsEvent> = {
  name: 'tenants',
  version: 2,
  handles: [
    'TenantRegistered',
    'TenantActivated',
    'TenantBlocked',
    'TenantUnblocked',
    'TenantPolicyChanged',
    'ServiceMapped',
    'ServiceUnmapped',
    'LockTaken',
    'LockReleased',
  ],
  keys: (event) => [docKey(parseStream(event.stream).owner)],
  initial: (key) => ({
    id: key,
    state: 'absent',
    homeRegion: '',
    policy: defaultPolicy,
    services: [],
    access: accessOf([]),
    epoch: 0,
    registeredAt: null,
    was: 'registered',
    revision: -1,
  }),
  evolve,
  indexes: [{ fields: ['state'] }],
};
