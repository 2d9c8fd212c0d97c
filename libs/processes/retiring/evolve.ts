import { policyOf, type Recorded, USES } from '@kcm/domain';
import { parseStream } from '@kcm/kernel';
import { locksAfter } from '../locks.js';
import type { RetiringKey, RetiringState, RetiringVersion } from './state.js';

type Change = (version: RetiringVersion) => Partial<RetiringVersion>;
type Report = Extract<Recorded, { type: 'UsageReported' }>['data'];

function changedKey(
  state: RetiringState,
  key: string,
  change: (key: RetiringKey) => RetiringKey | null,
): RetiringState {
  const keys = state.keys.flatMap((each) => (each.key === key ? (change(each) ?? []) : each));
  return { ...state, keys };
}

const changed = (
  state: RetiringState,
  key: string,
  version: number,
  change: Change,
): RetiringState =>
  changedKey(state, key, (of) => ({
    ...of,
    versions: of.versions.map((each) =>
      each.version === version ? { ...each, ...change(each) } : each,
    ),
  }));

/** What is protected hangs from the version; what was moved off it, counted once, no more. */
function told(state: RetiringState, { entries }: Report): RetiringState {
  return entries
    .filter(({ tenant }) => tenant === state.tenant)
    .reduce((now, { key, version, operation, ok, fresh = 0 }) => {
      const more = USES[operation].protects === true ? ok : 0;
      if (more === 0 && fresh === 0) return now;
      return changed(now, key, version, ({ inUse }) => ({ inUse: inUse + more - fresh }));
    }, state);
}

const fresh = (version: number, under: number): RetiringVersion => ({
  version,
  deactivatedAt: null,
  inUse: 0,
  under,
  asked: null,
  refusals: 0,
  refusedAt: null,
  destroyed: false,
});

export function evolve(state: RetiringState, event: Recorded): RetiringState {
  const key = parseStream(event.stream).id ?? '';
  const at = event.meta.occurredAt;
  switch (event.type) {
    case 'TenantRegistered':
    case 'TenantPolicyChanged':
      return { ...state, rotation: policyOf(event.data.policy).rotation };
    case 'LockTaken':
    case 'LockReleased':
      return { ...state, locks: locksAfter(state.locks, event) };
    case 'KeyCreated': {
      const { level } = event.data;
      return { ...state, keys: [...state.keys, { key, level, versions: [] }] };
    }
    case 'KeyVersionWrapped': {
      const { version, wrappedBy } = event.data;
      const made = fresh(version, Number(wrappedBy.version));
      return changedKey(state, key, (of) => ({ ...of, versions: [...of.versions, made] }));
    }
    case 'KeyVersionRewrapped': {
      const { version, wrappedBy } = event.data;
      return changed(state, key, version, () => ({ under: Number(wrappedBy.version) }));
    }
    case 'KeyVersionDeactivated':
      return changed(state, key, event.data.version, () => ({ deactivatedAt: at }));
    case 'KeyDestructionRequested': {
      const { version, operation, acceptUnreported = false } = event.data;
      return changed(state, key, version, () => ({ asked: { operation, acceptUnreported } }));
    }
    case 'KeyDestructionRefused':
      return changed(state, key, event.data.version, ({ refusals }) => ({
        asked: null,
        refusals: refusals + 1,
        refusedAt: at,
      }));
    case 'KeyVersionDestroyed':
      return changed(state, key, event.data.version, () => ({ asked: null, destroyed: true }));
    case 'KeyVersionErased': {
      const { version } = event.data;
      const left = (of: RetiringKey) => of.versions.filter((each) => each.version !== version);
      return changedKey(state, key, (of) => ({ ...of, versions: left(of) }));
    }
    // The shred of the whole tenant destroys and erases by itself.
    case 'KeyRevoked':
      return changedKey(state, key, () => null);
    case 'UsageReported':
      return told(state, event.data);
    default:
      return state;
  }
}
