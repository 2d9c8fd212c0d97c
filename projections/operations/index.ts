import { operationIdOf, type AnyEvent, type Recorded } from '@kcm/domain';
import { never, parseStream, type Code, type Step } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey } from '../doc-key.js';

export type OperationKind =
  | 'root-key.connect'
  | 'root-key.probe'
  | 'key.rotate'
  | 'key.destroy'
  | 'service.map'
  | 'tenant.block'
  | 'tenant.unblock'
  | 'revocation.lock'
  | 'revocation.release'
  | 'revocation.shred';

/** Work that an outside effect ends: what GET /v1/operations/{id} answers. */
export interface OperationDoc {
  readonly id: string;
  readonly tenant: string;
  readonly kind: OperationKind;
  readonly state: 'pending' | 'succeeded' | 'failed';
  /** Path of what the work is about. */
  readonly resource: string;
  readonly requestedBy: string;
  readonly requestedAt: string;
  readonly finishedAt: string | null;
  readonly code?: Code;
  readonly step?: Step;
  /** Of a destruction that was refused: what still hangs from the version. */
  readonly inUse?: number;
  /** Of that too: boots of Edges that may have protected more with it than they told. */
  readonly unreported?: number;
}

type Handled = Extract<
  AnyEvent,
  {
    type:
      | 'RootKeyConnectionRequested'
      | 'RootKeyConnected'
      | 'RootKeyConnectionRefused'
      | 'RootKeyProbeRequested'
      | 'RootKeyProbed'
      | 'KeyRotationRequested'
      | 'KeyRotated'
      | 'KeyVersionPrepared'
      | 'KeyRotationRefused'
      | 'KeyDestructionRequested'
      | 'KeyDestructionRefused'
      | 'KeyVersionDestroyed'
      | 'ServiceMapped'
      | 'ServiceUnmapped'
      | 'KeyCreated'
      | 'TenantBlocked'
      | 'TenantUnblocked'
      | 'LockTaken'
      | 'LockReleased'
      | 'RevocationLocked'
      | 'RevocationReleased'
      | 'RevocationShredRequested'
      | 'RevocationShredded';
  }
>;
type OperationEvent = Recorded<Handled>;

interface About {
  readonly id: string;
  readonly kind: OperationKind;
  /** Below the tenant; null: the tenant itself. */
  readonly path: string | null;
}

/** A block is a lock like the others; what follows it is the tenant's own state. */
const blocking = (tenant: string, lock: string, ends: boolean): About => ({
  id: ends ? operationIdOf.release(tenant, lock) : operationIdOf.lock(tenant, lock),
  kind: ends ? 'tenant.unblock' : 'tenant.block',
  path: null,
});

/** Which operation an event concerns, from the event alone; null: none. */
function aboutOf(event: OperationEvent): About | null {
  const { owner: tenant, id } = parseStream(event.stream);
  switch (event.type) {
    case 'RootKeyConnectionRequested':
    case 'RootKeyConnected':
    case 'RootKeyConnectionRefused': {
      const { operation, rootKeyId } = event.data;
      return { id: operation, kind: 'root-key.connect', path: `root-keys/${rootKeyId}` };
    }
    case 'RootKeyProbeRequested':
    case 'RootKeyProbed': {
      const { operation, rootKeyId } = event.data;
      return { id: operation, kind: 'root-key.probe', path: `root-keys/${rootKeyId}` };
    }
    case 'KeyRotationRequested':
    case 'KeyRotated':
    case 'KeyVersionPrepared':
    case 'KeyRotationRefused':
      return { id: event.data.operation, kind: 'key.rotate', path: `keys/${id}` };
    case 'KeyDestructionRequested':
    case 'KeyDestructionRefused':
    case 'KeyVersionDestroyed': {
      const { operation, version } = event.data;
      // By a shred: nobody asked for this one version.
      if (operation === undefined) return null;
      return { id: operation, kind: 'key.destroy', path: `keys/${id}/versions/${version}` };
    }
    case 'ServiceMapped':
    case 'ServiceUnmapped':
    case 'KeyCreated': {
      const { service } = event.data;
      if (service === null) return null;
      const operation = operationIdOf.mapService(tenant, service);
      return { id: operation, kind: 'service.map', path: `services/${service}` };
    }
    case 'LockTaken':
    case 'LockReleased':
    case 'RevocationLocked':
    case 'RevocationReleased': {
      const lock = 'lock' in event.data ? event.data.lock : id!;
      const ends = event.type === 'LockReleased' || event.type === 'RevocationReleased';
      const blocked = 'kind' in event.data && event.data.kind === 'blocked';
      if (blocked) return blocking(tenant, lock, ends);
      return ends
        ? {
            id: operationIdOf.release(tenant, lock),
            kind: 'revocation.release',
            path: `revocations/${lock}`,
          }
        : {
            id: operationIdOf.lock(tenant, lock),
            kind: 'revocation.lock',
            path: `revocations/${lock}`,
          };
    }
    case 'TenantBlocked':
    case 'TenantUnblocked':
      return blocking(tenant, event.data.lock, event.type === 'TenantUnblocked');
    case 'RevocationShredRequested':
    case 'RevocationShredded':
      return {
        id: operationIdOf.shred(tenant, id!),
        kind: 'revocation.shred',
        path: `revocations/${id}`,
      };
    default:
      return never(event);
  }
}

type End =
  | { readonly state: 'succeeded' }
  | { state: 'failed'; code?: Code; step?: Step; inUse?: number; unreported?: number };

/** How an event ends its operation; null: it begins one. */
function endOf(event: OperationEvent): End | null {
  switch (event.type) {
    case 'RootKeyConnectionRequested':
    case 'RootKeyProbeRequested':
    case 'KeyRotationRequested':
    case 'KeyDestructionRequested':
    case 'ServiceMapped':
    case 'LockTaken':
    case 'LockReleased':
    case 'RevocationShredRequested':
      return null;
    case 'RootKeyConnectionRefused':
      return { state: 'failed', code: event.data.code, step: event.data.step };
    case 'RootKeyProbed': {
      const { outcome, code, step } = event.data;
      if (outcome === 'ok') return { state: 'succeeded' };
      return { state: 'failed', ...(code && { code }), ...(step && { step }) };
    }
    case 'KeyRotationRefused':
      return { state: 'failed', code: event.data.code };
    case 'KeyDestructionRefused': {
      const { version: _, operation: __, ...why } = event.data;
      return { state: 'failed', ...why };
    }
    case 'ServiceUnmapped':
      return { state: 'failed', code: event.data.code ?? 'not_found' };
    case 'RootKeyConnected':
    case 'KeyRotated':
    case 'KeyVersionPrepared':
    case 'KeyVersionDestroyed':
    case 'KeyCreated':
    case 'TenantBlocked':
    case 'TenantUnblocked':
    case 'RevocationLocked':
    case 'RevocationReleased':
    case 'RevocationShredded':
      return { state: 'succeeded' };
    default:
      return never(event);
  }
}

function evolve(doc: OperationDoc | null, event: OperationEvent): OperationDoc | null {
  const about = aboutOf(event);
  if (about === null || doc?.state === 'succeeded') return doc;
  const at = event.meta.occurredAt;
  const tenant = parseStream(event.stream).owner;
  const end = endOf(event);
  // A key that was on its way when its service was unmapped is there when it is mapped again.
  const made = event.type === 'KeyCreated';
  if (doc?.state === 'failed' && end !== null && !made) return doc;
  // What failed may begin anew; a service mapped again after success has its L3 already.
  const begun: OperationDoc = (doc?.state === 'pending' ? doc : null) ?? {
    id: about.id,
    tenant,
    kind: about.kind,
    state: 'pending',
    resource: `/v1/tenants/${tenant}${about.path === null ? '' : `/${about.path}`}`,
    requestedBy: event.meta.actor,
    requestedAt: at,
    finishedAt: null,
  };
  return end === null ? begun : { ...begun, ...end, finishedAt: at };
}

/** What a command waits for. Key: operation id. */
export const operations: Projection<OperationDoc | null, OperationEvent> = {
  name: 'operations',
  version: 2,
  handles: [
    'RootKeyConnectionRequested',
    'RootKeyConnected',
    'RootKeyConnectionRefused',
    'RootKeyProbeRequested',
    'RootKeyProbed',
    'KeyRotationRequested',
    'KeyRotated',
    'KeyVersionPrepared',
    'KeyRotationRefused',
    'KeyDestructionRequested',
    'KeyDestructionRefused',
    'KeyVersionDestroyed',
    'ServiceMapped',
    'ServiceUnmapped',
    'KeyCreated',
    'TenantBlocked',
    'TenantUnblocked',
    'LockTaken',
    'LockReleased',
    'RevocationLocked',
    'RevocationReleased',
    'RevocationShredRequested',
    'RevocationShredded',
  ],
  keys(event) {
    const about = aboutOf(event);
    return about === null ? [] : [docKey(about.id)];
  },
  initial: () => null,
  evolve,
  indexes: [{ fields: ['tenant'] }, { fields: ['tenant', 'state'] }],
};
