import { type Recorded, rotationAgainAt } from '@kcm/domain';
import { parseStream } from '@kcm/kernel';
import { locksAfter } from '../locks.js';
import type { CompromiseState, KnownKey } from './state.js';

type Of<T extends Recorded['type']> = Extract<Recorded, { type: T }>;

function changed(
  state: CompromiseState,
  key: string,
  change: (key: KnownKey) => Partial<KnownKey>,
): CompromiseState {
  const keys = state.keys.map((each) => (each.key === key ? { ...each, ...change(each) } : each));
  return { ...state, keys };
}

function compromised(state: CompromiseState, event: Of<'KeyCompromised'>): CompromiseState {
  const { versions, since, by } = event.data;
  const key = parseStream(event.stream).id ?? '';
  const before = state.keys.find((each) => each.key === key)?.compromised ?? {};
  const marked = changed(state, key, () => ({
    compromised: { ...before, ...Object.fromEntries(versions.map((each) => [each, since])) },
  }));
  // What an Edge held is recorded with what the Edge did; of the same time it is recorded once.
  const fresh = versions.filter((version) => before[version] !== since);
  if (by !== undefined || fresh.length === 0) return marked;
  const until = event.meta.occurredAt;
  const open = { key, versions: fresh, since, until, exposure: event.id };
  return { ...marked, exposures: [...state.exposures, open] };
}

function exposed(state: CompromiseState, event: Of<'KeyExposureRecorded'>): CompromiseState {
  const { id: key } = parseStream(event.stream);
  const exposures = state.exposures.flatMap((each) => {
    if (each.key !== key || each.exposure !== event.data.exposure) return each;
    const told = event.data.versions.map(({ version }) => version);
    const versions = each.versions.filter((version) => !told.includes(version));
    return versions.length === 0 ? [] : { ...each, versions };
  });
  return { ...state, exposures };
}

export function evolveCompromise(state: CompromiseState, event: Recorded): CompromiseState {
  const key = parseStream(event.stream).id ?? '';
  switch (event.type) {
    case 'LockTaken':
    case 'LockReleased':
      return { ...state, locks: locksAfter(state.locks, event) };
    case 'RootKeyRestored':
      return { ...state, keys: state.keys.map((each) => ({ ...each, againAt: null })) };
    case 'KeyCreated': {
      const { level, service } = event.data;
      const created: KnownKey = {
        key,
        level,
        service,
        current: 1,
        rotating: false,
        aside: false,
        compromised: {},
        under: {},
        refused: 0,
        againAt: null,
      };
      return { ...state, keys: [...state.keys, created] };
    }
    case 'KeyVersionWrapped':
    case 'KeyVersionRewrapped': {
      const { version, wrappedBy } = event.data;
      return changed(state, key, ({ under, level }) => {
        if (level === 'L2') return {};
        const all = [...(under[version] ?? []), Number(wrappedBy.version)];
        return { under: { ...under, [version]: [...new Set(all)] } };
      });
    }
    case 'KeyRotationRequested':
      return changed(state, key, () => ({ rotating: true }));
    case 'KeyRotated': {
      const fresh = { rotating: false, aside: false, refused: 0, againAt: null };
      return changed(state, key, () => ({ current: event.data.to, ...fresh }));
    }
    case 'KeyVersionPrepared':
      return changed(state, key, () => ({ rotating: false }));
    case 'KeyRotationRefused':
      return changed(state, key, ({ current: version, refused }) => ({
        rotating: false,
        refused: refused + 1,
        againAt: rotationAgainAt(
          { tenant: state.tenant, key, version },
          event.meta.occurredAt,
          refused + 1,
        ),
      }));
    case 'KeyVersionDeactivated':
      return changed(state, key, ({ current }) =>
        current === event.data.version ? { aside: true } : {},
      );
    case 'KeyCompromised':
      return compromised(state, event);
    case 'KeyExposureRecorded':
      return exposed(state, event);
    case 'KeyRevoked':
      return { ...state, keys: state.keys.filter((each) => each.key !== key) };
    default:
      return state;
  }
}
