import {
  policyOf,
  type Recorded,
  rotationAgainAt,
  rotationByUsesAt,
  type UsageEntry,
  USES,
} from '@kcm/domain';
import { parseStream } from '@kcm/kernel';
import { locksAfter } from '../locks.js';
import type { RotationState, TurningKey } from './state.js';

type Of<T extends Recorded['type']> = Extract<Recorded, { type: T }>;
type Change = (key: TurningKey) => Partial<TurningKey>;

/** Whether what was reported counts: it was done, and protects. */
export const isUse = ({ operation, ok }: UsageEntry): boolean =>
  USES[operation].protects === true && ok > 0;

/** What is known of a version that has just taken over. */
const fresh = (version: number, since: string) => ({
  version,
  since,
  inUse: true,
  rotating: false,
  uses: 0,
  usedUpAt: null,
  refused: 0,
  failures: 0,
  againAt: null,
});

function changed(state: RotationState, key: string, change: Change): RotationState {
  const keys = state.keys.map((each) => (each.key === key ? { ...each, ...change(each) } : each));
  return { ...state, keys };
}

/** Since when the uses are what the policy allows, as it is now. */
function usedUp(state: RotationState, key: TurningKey, at: string): Partial<TurningKey> {
  const { version, level, uses } = key;
  const planned = { tenant: state.tenant, key: key.key, version };
  const most = rotationByUsesAt(planned, state.policy[level]);
  if (most === null || uses < most) return { usedUpAt: null };
  return { usedUpAt: key.usedUpAt ?? at };
}

function used(state: RotationState, id: string, version: number, count: number, at: string) {
  return changed(state, id, (key) => {
    if (key.version !== version) return {};
    const uses = key.uses + count;
    return { uses, ...usedUp(state, { ...key, uses }, at) };
  });
}

function reported(state: RotationState, { data, meta }: Of<'UsageReported'>): RotationState {
  return data.entries
    .filter((entry) => entry.tenant === state.tenant && isUse(entry))
    .reduce((at, { key, version, ok }) => used(at, key, version, ok, meta.occurredAt), state);
}

function created(state: RotationState, event: Of<'KeyCreated'>): RotationState {
  const { level, service, parent } = event.data;
  const key: TurningKey = {
    key: parseStream(event.stream).id ?? '',
    level,
    service,
    ...fresh(1, event.meta.occurredAt),
    rootKey: parent,
    rootKeyVersions: [],
    newerAt: null,
    wraps: {},
  };
  return { ...state, keys: [...state.keys, key] };
}

/** A version of an L2 is wrapped by a version of its root key; one of an L3, by one of the L2. */
function wrapped(state: RotationState, event: Of<'KeyVersionWrapped'>): RotationState {
  const { version, wrappedBy } = event.data;
  const id = parseStream(event.stream).id ?? '';
  if (state.keys.find(({ key }) => key === id)?.level === 'L3')
    return used(state, wrappedBy.id, Number(wrappedBy.version), 1, event.meta.occurredAt);
  return changed(state, id, (key) =>
    version === key.version
      ? { rootKey: wrappedBy.id, ...underRootKey(key, wrappedBy.version) }
      : { wraps: { ...key.wraps, [version]: wrappedBy.version } },
  );
}

/** What was seen before the version that wraps it now is behind it. */
function underRootKey(
  { rootKeyVersions, newerAt }: TurningKey,
  version: string,
): Pick<TurningKey, 'rootKeyVersions' | 'newerAt'> {
  const at = rootKeyVersions.indexOf(version);
  const seen = at < 0 ? [version] : rootKeyVersions.slice(at);
  return { rootKeyVersions: seen, newerAt: seen.length > 1 ? newerAt : null };
}

function observed(state: RotationState, event: Of<'RootKeyVersionObserved'>): RotationState {
  const { rootKeyId, keyVersion } = event.data;
  const keys = state.keys.map((key) => {
    const { rootKeyVersions: seen } = key;
    if (key.level !== 'L2' || key.rootKey !== rootKeyId || seen.includes(keyVersion)) return key;
    const newerAt = key.newerAt ?? event.meta.occurredAt;
    return { ...key, rootKeyVersions: [...seen, keyVersion], newerAt };
  });
  return { ...state, keys };
}

function rotated(state: RotationState, event: Of<'KeyRotated'>): RotationState {
  const { to } = event.data;
  return changed(state, parseStream(event.stream).id ?? '', (key) => {
    const by = key.wraps[to];
    const under = by === undefined ? {} : underRootKey(key, by);
    const later = Object.entries(key.wraps).filter(([version]) => Number(version) > to);
    return { ...fresh(to, event.meta.occurredAt), ...under, wraps: Object.fromEntries(later) };
  });
}

function refused(state: RotationState, event: Of<'KeyRotationRefused'>): RotationState {
  return changed(state, parseStream(event.stream).id ?? '', (key) => {
    const failures = key.failures + 1;
    const version = { tenant: state.tenant, key: key.key, version: key.version };
    const againAt = rotationAgainAt(version, event.meta.occurredAt, failures);
    return { rotating: false, refused: key.refused + 1, failures, againAt };
  });
}

function setAside(state: RotationState, id: string, versions: readonly number[]): RotationState {
  return changed(state, id, (key) => (versions.includes(key.version) ? { inUse: false } : {}));
}

export function evolveRotation(state: RotationState, event: Recorded): RotationState {
  const id = parseStream(event.stream).id ?? '';
  switch (event.type) {
    case 'TenantRegistered':
    case 'TenantPolicyChanged': {
      const planned = { ...state, policy: policyOf(event.data.policy).rotation };
      const keys = planned.keys.map((key) => ({
        ...key,
        ...usedUp(planned, key, event.meta.occurredAt),
      }));
      return { ...planned, keys };
    }
    case 'LockTaken':
    case 'LockReleased':
      return { ...state, locks: locksAfter(state.locks, event) };
    case 'UsageReported':
      return reported(state, event);
    case 'RootKeyVersionObserved':
      return observed(state, event);
    case 'RootKeyRestored':
      // Whatever failed because the keystore was away may be tried now.
      return { ...state, keys: state.keys.map((key) => ({ ...key, failures: 0, againAt: null })) };
    case 'KeyCreated':
      return created(state, event);
    case 'KeyVersionWrapped':
      return wrapped(state, event);
    case 'KeyRotationRequested':
      return changed(state, id, () => ({ rotating: true }));
    case 'KeyRotated':
      return rotated(state, event);
    case 'KeyVersionPrepared':
      return changed(state, id, () => ({ rotating: false }));
    case 'KeyRotationRefused':
      return refused(state, event);
    case 'KeyVersionDeactivated':
    case 'KeyVersionDestroyed':
      return setAside(state, id, [event.data.version]);
    case 'KeyCompromised':
      return setAside(state, id, event.data.versions);
    case 'KeyRevoked':
      return { ...state, keys: state.keys.filter(({ key }) => key !== id) };
    default:
      return state;
  }
}
