import type { Recorded } from '@kcm/domain';
import { parseStream } from '@kcm/kernel';
import { isOpen, type Locks, locksAfter } from '../locks.js';
import { ownerOf, type Process, type Todo } from '../process.js';

export interface OnboardingState {
  readonly tenant: string;
  readonly active: boolean;
  readonly services: readonly string[];
  readonly locks: Locks;
  readonly connecting: readonly { readonly rootKeyId: string; readonly operation: string }[];
  readonly probing: readonly { readonly rootKeyId: string; readonly operation: string }[];
  readonly primary: string | null;
  /** Key id of the L2. */
  readonly l2: string | null;
  /** Services that have their L3. */
  readonly keyed: readonly string[];
  readonly rotating: readonly { readonly key: string; readonly operation: string }[];
}

const without = <T extends { readonly operation: string }>(list: readonly T[], operation: string) =>
  list.filter((each) => each.operation !== operation);

function evolve(state: OnboardingState, event: Recorded): OnboardingState {
  const key = parseStream(event.stream).id ?? '';
  switch (event.type) {
    case 'TenantActivated':
      return { ...state, active: true };
    case 'ServiceMapped':
      return { ...state, services: [...state.services, event.data.service] };
    case 'ServiceUnmapped':
      return { ...state, services: state.services.filter((id) => id !== event.data.service) };
    case 'LockTaken':
    case 'LockReleased':
      return { ...state, locks: locksAfter(state.locks, event) };
    case 'RootKeyConnectionRequested': {
      const { rootKeyId, operation } = event.data;
      return { ...state, connecting: [...state.connecting, { rootKeyId, operation }] };
    }
    case 'RootKeyConnected': {
      const { rootKeyId, operation, primary } = event.data;
      const connecting = without(state.connecting, operation);
      return { ...state, connecting, primary: primary ? rootKeyId : state.primary };
    }
    case 'RootKeyConnectionRefused':
      return { ...state, connecting: without(state.connecting, event.data.operation) };
    case 'RootKeyProbeRequested': {
      const { rootKeyId, operation } = event.data;
      return { ...state, probing: [...state.probing, { rootKeyId, operation }] };
    }
    case 'RootKeyProbed':
      return { ...state, probing: without(state.probing, event.data.operation) };
    case 'KeyCreated': {
      const { service } = event.data;
      if (service === null) return { ...state, l2: key };
      return { ...state, keyed: [...state.keyed, service] };
    }
    case 'KeyRotationRequested': {
      const { operation } = event.data;
      return { ...state, rotating: [...state.rotating, { key, operation }] };
    }
    case 'KeyRotated':
    case 'KeyVersionPrepared':
    case 'KeyRotationRefused':
      return { ...state, rotating: without(state.rotating, event.data.operation) };
    case 'KeyRevoked':
      return { ...state, rotating: state.rotating.filter((each) => each.key !== key) };
    default:
      return state;
  }
}

function todo(state: OnboardingState): readonly Todo[] {
  const { tenant, primary: rootKeyId, l2, locks } = state;
  const list: Todo[] = [];
  for (const { rootKeyId: id, operation } of state.connecting)
    list.push({
      id: `connect:${operation}`,
      step: { kind: 'connectRootKey', tenant, rootKeyId: id },
    });
  for (const { rootKeyId: id, operation } of state.probing)
    list.push({
      id: `probe:${operation}`,
      step: { kind: 'probeRootKey', tenant, rootKeyId: id, operation },
    });
  if (rootKeyId !== null && l2 === null && isOpen(locks))
    list.push({ id: 'l2', step: { kind: 'createL2', tenant, rootKeyId } });
  if (l2 !== null && state.active)
    for (const service of state.services)
      if (!state.keyed.includes(service) && isOpen(locks, service))
        list.push({ id: `l3:${service}`, step: { kind: 'createL3', tenant, service } });
  for (const { key, operation } of state.rotating)
    list.push({
      id: `rotate:${operation}`,
      step: { kind: key === l2 ? 'rotateL2' : 'rotateL3', tenant, key, operation },
    });
  return list;
}

/**
 * From a requested root key to a service's L3, and what is asked of the keys later. Connections,
 * probes and rotations run whatever is locked: Core answers them, with a refusal where it must.
 * Subject: the tenant.
 */
export const onboarding: Process<OnboardingState> = {
  name: 'onboarding',
  version: 4,
  handles: [
    'TenantActivated',
    'ServiceMapped',
    'ServiceUnmapped',
    'LockTaken',
    'LockReleased',
    'RootKeyConnectionRequested',
    'RootKeyConnected',
    'RootKeyConnectionRefused',
    'RootKeyProbeRequested',
    'RootKeyProbed',
    'KeyCreated',
    'KeyRotationRequested',
    'KeyRotated',
    'KeyVersionPrepared',
    'KeyRotationRefused',
    'KeyRevoked',
  ],
  subjects: ownerOf,
  initial: (tenant) => ({
    tenant,
    active: false,
    services: [],
    locks: [],
    connecting: [],
    probing: [],
    primary: null,
    l2: null,
    keyed: [],
    rotating: [],
  }),
  evolve,
  todo,
};
