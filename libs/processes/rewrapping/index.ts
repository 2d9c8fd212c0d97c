import { type Recorded, type Rewrapping, UNPACED } from '@kcm/domain';
import { parseStream, rfc3339 } from '@kcm/kernel';
import { isReadable, type Locks, locksAfter } from '../locks.js';
import { ownerOf, type Process, type Todo } from '../process.js';

/** A version of an L3 that is not destroyed. */
interface Child {
  readonly key: string;
  readonly version: number;
  /** The version of the L2 that wraps it. */
  readonly under: number;
}
export interface RewrappingState {
  readonly tenant: string;
  readonly locks: Locks;
  readonly l2: { readonly key: string; readonly current: number } | null;
  readonly services: readonly { readonly key: string; readonly service: string }[];
  readonly children: readonly Child[];
  readonly pace: Rewrapping;
  /** When a version was wrapped anew at last, or the pace was set, RFC 3339. */
  readonly lastAt: string | null;
}

function evolve(state: RewrappingState, event: Recorded): RewrappingState {
  const key = parseStream(event.stream).id ?? '';
  const { l2, services, children } = state;
  switch (event.type) {
    case 'LockTaken':
    case 'LockReleased':
      return { ...state, locks: locksAfter(state.locks, event) };
    case 'KeyCreated': {
      const { service } = event.data;
      if (service === null) return { ...state, l2: { key, current: 1 } };
      return { ...state, services: [...services, { key, service }] };
    }
    case 'KeyVersionWrapped':
    case 'KeyVersionRewrapped': {
      if (key === l2?.key) return state;
      const { version, wrappedBy } = event.data;
      const child = { key, version, under: Number(wrappedBy.version) };
      const anew = event.type === 'KeyVersionRewrapped' ? { lastAt: event.meta.occurredAt } : {};
      return { ...state, ...anew, children: [...without(children, key, version), child] };
    }
    case 'KeyRotated':
      return key === l2?.key ? { ...state, l2: { key, current: event.data.to } } : state;
    case 'KeyRewrappingChanged':
      return { ...state, pace: event.data, lastAt: event.meta.occurredAt };
    case 'KeyVersionDestroyed':
      return { ...state, children: without(children, key, event.data.version) };
    case 'KeyRevoked':
      return { ...state, children: children.filter((child) => child.key !== key) };
    default:
      return state;
  }
}

const without = (children: readonly Child[], key: string, version: number): readonly Child[] =>
  children.filter((child) => child.key !== key || child.version !== version);

function todo(state: RewrappingState): readonly Todo[] {
  const { tenant, locks, l2, services, children, pace } = state;
  if (l2 === null || pace.paused) return [];
  const serviceOf = (key: string) => services.find((each) => each.key === key)?.service;
  const left = children.filter(
    ({ key, under }) => under < l2.current && isReadable(locks, serviceOf(key)),
  );
  return paced(state, left).map(({ key, version, ...due }) => ({
    id: `rewrap:${key}/${version}:${l2.current}`,
    ...due,
    step: { kind: 'rewrapL3', tenant, key, version },
  }));
}

/** Those whose turn it is, at the pace that somebody set: counted from the last one that was done. */
function paced(
  { pace: { perSecondMax }, lastAt }: RewrappingState,
  left: readonly Child[],
): readonly { readonly key: string; readonly version: number; readonly dueAt?: string }[] {
  if (perSecondMax === null || lastAt === null)
    return left.map(({ key, version }) => ({ key, version }));
  return left.slice(0, Math.ceil(perSecondMax)).map(({ key, version }, at) => ({
    key,
    version,
    dueAt: rfc3339(Date.parse(lastAt) + (1000 * (at + 1)) / perSecondMax),
  }));
}

/**
 * After a rotation of the L2: each version of each L3 that hangs from an earlier version of it is
 * wrapped anew. Until then it opens as before, under the version that it hangs from. While a lock
 * stands, or somebody has paused it, nothing is asked of the keys; a read-only is none in this: no
 * key is made, and the earlier version of the L2 may go though such a lock stands for long. Subject:
 * the tenant.
 */
export const rewrapping: Process<RewrappingState> = {
  name: 'rewrapping',
  version: 3,
  handles: [
    'LockTaken',
    'LockReleased',
    'KeyCreated',
    'KeyVersionWrapped',
    'KeyVersionRewrapped',
    'KeyRotated',
    'KeyRewrappingChanged',
    'KeyVersionDestroyed',
    'KeyRevoked',
  ],
  subjects: ownerOf,
  initial: (tenant) => ({
    tenant,
    locks: [],
    l2: null,
    services: [],
    children: [],
    pace: UNPACED,
    lastAt: null,
  }),
  evolve,
  todo,
};
