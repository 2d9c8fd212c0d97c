import { never } from '@kcm/kernel';
import type { RootKeysEvent } from './rootkeys.events.js';
import { isConnected } from './rootkeys.policies.js';
import type { RootKeyEntry, RootKeysState } from './rootkeys.state.js';

type Some = Extract<RootKeysState, { status: 'some' }>;
type Connected = Extract<RootKeyEntry, { resolved: string }>;

const put = (state: Some, entry: RootKeyEntry): Some => ({
  ...state,
  keys: new Map([...state.keys, [entry.rootKeyId, entry]]),
});

function observe(state: Some, id: string, change: Partial<Connected>): Some {
  const entry = state.keys.get(id);
  return entry === undefined || !isConnected(entry) ? state : put(state, { ...entry, ...change });
}

function probesWithout(state: Some, operation: string): Some {
  const probes = new Map(state.probes);
  probes.delete(operation);
  return { ...state, probes };
}

export function evolveRootKeys(state: RootKeysState, event: RootKeysEvent): RootKeysState {
  if (event.type === 'RootKeyConnectionRequested') {
    const some: Some =
      state.status === 'some'
        ? state
        : { status: 'some', keys: new Map(), primary: null, probes: new Map() };
    const { rootKeyId, keystore, reference, credentialsDigest, operation } = event.data;
    const requested = { rootKeyId, keystore, reference, credentialsDigest, operation };
    return put(some, { status: 'requested', ...requested });
  }
  if (state.status === 'none') return state;
  const { rootKeyId } = event.data;
  switch (event.type) {
    case 'RootKeyConnected': {
      const entry = state.keys.get(rootKeyId);
      if (entry?.status !== 'requested') return state;
      const { resolved, keyVersion, primary } = event.data;
      const connected = {
        ...entry,
        status: 'enabled',
        resolved,
        keyVersion,
        lastCode: null,
      } as const;
      return { ...put(state, connected), primary: primary ? rootKeyId : state.primary };
    }
    case 'RootKeyConnectionRefused': {
      const entry = state.keys.get(rootKeyId);
      if (entry?.status !== 'requested') return state;
      const { step, code } = event.data;
      return put(state, { ...entry, status: 'refused', step, code });
    }
    case 'RootKeyProbeRequested':
      return {
        ...state,
        probes: new Map([...state.probes, [event.data.operation, rootKeyId]]),
      };
    case 'RootKeyProbed':
      return probesWithout(state, event.data.operation);
    case 'RootKeyDenied':
      return observe(state, rootKeyId, { status: 'denied', lastCode: event.data.code });
    case 'RootKeyIndeterminate':
      return observe(state, rootKeyId, { status: 'indeterminate', lastCode: event.data.code });
    case 'RootKeyRestored':
      return observe(state, rootKeyId, { status: 'enabled', lastCode: null });
    case 'RootKeyVersionObserved':
      return observe(state, rootKeyId, { keyVersion: event.data.keyVersion });
    default:
      return never(event);
  }
}
