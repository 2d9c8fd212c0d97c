import { never } from '@kcm/kernel';
import type { KeyEvent } from './key.events.js';
import type { ExistingKey, KeyState, KeyVersion } from './key.state.js';

const withVersion = (
  versions: readonly KeyVersion[],
  version: number | 'all',
  state: KeyVersion['state'],
): readonly KeyVersion[] =>
  versions.map((each) =>
    version === 'all' || each.version === version ? { ...each, state } : each,
  );

/** The key without what only a running rotation knows. */
const plain = ({ level, service, parent, versions, current }: ExistingKey): ExistingKey => ({
  level,
  service,
  parent,
  versions,
  current,
});

export function evolveKey(state: KeyState, event: KeyEvent): KeyState {
  if (event.type === 'KeyCreated')
    return state.status === 'absent'
      ? { status: 'active', ...event.data, versions: [], current: 1 }
      : state;
  if (state.status === 'absent') return state;
  switch (event.type) {
    case 'KeyVersionWrapped': {
      const version: KeyVersion = { state: 'active', ...event.data };
      return { ...state, versions: [...state.versions, version] };
    }
    case 'KeyVersionRewrapped': {
      const { version, wrappedBy, digest } = event.data;
      const versions = state.versions.map((each) =>
        each.version === version ? { ...each, wrappedBy, digest } : each,
      );
      return { ...state, versions };
    }
    case 'KeyRotationRequested':
      return { ...plain(state), status: 'rotating', operation: event.data.operation };
    case 'KeyRotated':
      return { ...plain(state), status: 'active', current: event.data.to };
    case 'KeyRotationRefused':
      return { ...plain(state), status: 'active' };
    case 'KeyVersionDeactivated':
      return { ...state, versions: withVersion(state.versions, event.data.version, 'deactivated') };
    case 'KeyVersionDestroyed':
      return { ...state, versions: withVersion(state.versions, event.data.version, 'destroyed') };
    case 'KeyRevoked':
      return {
        ...plain(state),
        status: 'revoked',
        versions: withVersion(state.versions, 'all', 'destroyed'),
      };
    default:
      return never(event);
  }
}
