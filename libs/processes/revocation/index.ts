import type { Recorded, RevocationKind } from '@kcm/domain';
import { never, parseStream, streamOf } from '@kcm/kernel';
import type { Process, Step, Todo } from '../process.js';
import { evolveRevocation } from './evolve.js';
import type { HeldLock, RevocationProcessState } from './state.js';

export type { HeldLock, KnownGrant, RevocationProcessState } from './state.js';

/** The keystore said that the key is gone, not only that it refuses. */
const DESTROYED: ReadonlySet<string> = new Set(['root_key_not_found', 'root_key_pending_deletion']);

function kindOf({ kind, cause }: HeldLock): RevocationKind | null {
  switch (kind) {
    case 'suspended':
      return 'suspend';
    case 'readOnly':
      return 'read-only';
    case 'killed':
      return 'kill';
    case 'providerDenied':
      return DESTROYED.has(cause) ? 'l1-destroyed' : 'provider-denied';
    case 'blocked':
      return null;
    default:
      return never(kind);
  }
}

function open(tenant: string, held: HeldLock): Step {
  const { lock, scope, cause, lockedBy, startedAt, hardBound, epoch, probe } = held;
  const kind = kindOf(held);
  if (kind === null)
    return {
      kind: 'tenant',
      stream: streamOf('tenant', tenant),
      command: { kind: 'RecordBlocked', lock },
    };
  const holders = Object.entries(held.holders)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, lastGrantEnds]) => ({ id, lastGrantEnds }));
  const said = { kind, scope, cause, lockedBy, startedAt, hardBound, epoch, holders, probe };
  return {
    kind: 'revocation',
    stream: streamOf('revocation', tenant, lock),
    command: { kind: 'OpenRevocation', revocation: said },
  };
}

function close(tenant: string, held: HeldLock, releasedBy: string): Step {
  const { lock } = held;
  if (held.kind === 'blocked')
    return {
      kind: 'tenant',
      stream: streamOf('tenant', tenant),
      command: { kind: 'RecordUnblocked', lock },
    };
  return {
    kind: 'revocation',
    stream: streamOf('revocation', tenant, lock),
    command: { kind: 'RecordReleased', releasedBy },
  };
}

function todo({ tenant, locks }: RevocationProcessState): readonly Todo[] {
  const list: Todo[] = [];
  // The tenant's state follows one block after the other, or a later one would seem known already.
  const block = locks.find(({ kind }) => kind === 'blocked');
  for (const held of locks)
    if (held.kind === 'blocked' && held !== block) continue;
    else if (!held.recorded) list.push({ id: `open:${held.lock}`, step: open(tenant, held) });
    else if (held.releasedBy !== null)
      list.push({ id: `close:${held.lock}`, step: close(tenant, held, held.releasedBy) });
  return list;
}

/**
 * What the access stream decided, told to the revocation and tenant streams: opens a revocation for
 * each lock (a block is the tenant's state instead) and closes it when the lock is released.
 * Subject: the tenant.
 */
export const revocation: Process<RevocationProcessState> = {
  name: 'revocation',
  version: 1,
  handles: [
    'TenantRegistered',
    'TenantPolicyChanged',
    'TenantBlocked',
    'TenantUnblocked',
    'LockTaken',
    'LockReleased',
    'RevocationLocked',
    'RevocationReleased',
    'RevocationShredded',
    'LeasesGranted',
    'LeasesRenewed',
  ],
  subjects: tenantsOf,
  initial: (tenant) => ({ tenant, leaseSeconds: [], grants: {}, locks: [] }),
  evolve: evolveRevocation,
  todo,
};

/** A journal's stream belongs to a region: its leases without a tenant concern nobody. */
function tenantsOf({ stream, meta }: Recorded): readonly string[] {
  if (meta.tenant !== null) return [meta.tenant];
  const { category, owner } = parseStream(stream);
  return category === 'calls' ? [] : [owner];
}
