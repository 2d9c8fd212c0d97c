import { never } from '@kcm/kernel';
import type { KeyEvent } from './key.events.js';
import type { ExistingKey, KeyState, KeyVersion, VersionDates } from './key.state.js';
import { isDestroyed } from './key.states.js';

type Existing = Exclude<KeyState, { status: 'absent' }>;
type Changed = (version: KeyVersion) => KeyVersion;
/** As the ledger has it; what has just been decided has no time yet. */
type Told<E> = E & { readonly meta?: { readonly occurredAt: string } };

const changed = <K extends ExistingKey>(
  key: K,
  of: number | readonly number[] | 'all',
  change: Changed,
): K => ({
  ...key,
  versions: key.versions.map((each) =>
    of === 'all' || (Array.isArray(of) ? of.includes(each.version) : of === each.version)
      ? change(each)
      : each,
  ),
});

/** The key without what only a running rotation knows. */
function plain(key: Existing): ExistingKey {
  const { level, service, parent, versions, current, rewrapping } = key;
  return { level, service, parent, versions, current, ...(rewrapping && { rewrapping }) };
}

/** Notes when that was, where the event knows. */
const dated = (
  version: KeyVersion,
  which: keyof VersionDates,
  { meta }: Told<unknown>,
): KeyVersion =>
  meta === undefined ? version : { ...version, at: { ...version.at, [which]: meta.occurredAt } };

const deactivated =
  (event: Told<unknown>): Changed =>
  (version) =>
    version.state === 'active'
      ? dated({ ...version, state: 'deactivated' }, 'deactivated', event)
      : version;

/** What is compromised stays so. */
function destroyed(each: KeyVersion): KeyVersion {
  const { version, wrappedBy, digest, commitment, compromisedSince } = each;
  const known = { version, wrappedBy, digest, commitment };
  return compromisedSince === undefined
    ? { ...known, state: 'destroyed' }
    : { ...known, state: 'destroyed-compromised', compromisedSince };
}

function withoutDestruction(each: KeyVersion): KeyVersion {
  const { destruction, ...version } = each;
  return destruction === undefined ? each : version;
}

function recovered(each: KeyVersion): KeyVersion {
  const { archived, ...version } = each;
  return archived === undefined ? each : version;
}

function compromised({ data, meta }: Told<Compromised>): Changed {
  const { since: compromisedSince, processing } = data;
  return (each) =>
    dated(
      isDestroyed(each)
        ? { ...each, state: 'destroyed-compromised', compromisedSince }
        : { ...each, state: 'compromised', compromisedSince, processing },
      'compromised',
      { ...(meta && { meta }) },
    );
}
type Compromised = Extract<KeyEvent, { type: 'KeyCompromised' }>;

export function evolveKey(state: KeyState, event: Told<KeyEvent>): KeyState {
  if (event.type === 'KeyCreated')
    return state.status === 'absent'
      ? { status: 'active', ...event.data, versions: [], current: 1 }
      : state;
  return state.status === 'absent' ? state : evolved(state, event);
}

function evolved(
  state: Existing,
  event: Told<Exclude<KeyEvent, { type: 'KeyCreated' }>>,
): KeyState {
  switch (event.type) {
    case 'KeyVersionWrapped': {
      const { preActive, ...wrapped } = event.data;
      const version: KeyVersion = preActive
        ? { state: 'pre-active', ...wrapped }
        : dated({ state: 'active', ...wrapped }, 'activated', event);
      return { ...state, versions: [...state.versions, version] };
    }
    case 'KeyVersionRewrapped': {
      const { version, wrappedBy, digest } = event.data;
      return changed(state, version, (each) => ({ ...each, wrappedBy, digest }));
    }
    case 'KeyRotationRequested': {
      const { from: _, ...rotation } = event.data;
      return { ...plain(state), status: 'rotating', ...rotation };
    }
    case 'KeyRotated':
      return { ...plain(state), status: 'active', current: event.data.to };
    case 'KeyVersionPrepared':
    case 'KeyRotationRefused':
      return { ...plain(state), status: 'active' };
    case 'KeyVersionActivated':
      return changed(state, event.data.version, (each) =>
        dated({ ...each, state: 'active' }, 'activated', event),
      );
    case 'KeyVersionDeactivated':
      return changed(state, event.data.version, deactivated(event));
    case 'KeyCompromised': {
      return changed(state, event.data.versions, compromised(event));
    }
    case 'KeyExposureRecorded':
      return state;
    case 'KeyVersionArchived':
      return changed(state, event.data.version, (each) => ({ ...each, archived: true }));
    case 'KeyVersionRecovered':
      return changed(state, event.data.version, recovered);
    case 'KeyDestructionRequested': {
      const { version, operation } = event.data;
      return changed(state, version, (each) => ({ ...each, destruction: operation }));
    }
    case 'KeyDestructionRefused':
      return changed(state, event.data.version, withoutDestruction);
    case 'KeyVersionDestroyed':
      return changed(state, event.data.version, destroyed);
    case 'KeyVersionErased':
      return changed(state, event.data.version, (each) => ({ ...each, erased: true }));
    case 'KeyRewrappingChanged':
      return { ...state, rewrapping: event.data };
    case 'KeyRevoked':
      return { status: 'revoked', ...changed(plain(state), 'all', destroyed) };
    default:
      return never(event);
  }
}
