import { never } from '@kcm/kernel';
import { refused } from '../decider.js';
import { allowed, type Policy } from '../policy.js';
import type { RootKeysCommand } from './rootkeys.commands.js';
import type { RootKeyEntry, RootKeysState } from './rootkeys.state.js';

type RootKeysRule = Policy<RootKeysCommand, RootKeysState>;

export const entryOf = (state: RootKeysState, rootKeyId: string): RootKeyEntry | null =>
  state.status === 'none' ? null : (state.keys.get(rootKeyId) ?? null);

export const isConnected = (
  entry: RootKeyEntry,
): entry is Extract<RootKeyEntry, { resolved: string }> =>
  entry.status !== 'requested' && entry.status !== 'refused';

const requestedBeforeAnythingElse: RootKeysRule = {
  name: 'a root key is requested once, and a refused one may be tried again',
  check(command, state) {
    const entry = entryOf(state, command.rootKeyId);
    if (command.kind !== 'RequestConnection')
      return entry === null ? refused('not_found', 'No such root key.') : allowed;
    return entry === null || entry.status === 'refused'
      ? allowed
      : refused('already_exists', 'A root key has this id.');
  },
};

const oneRootKey: RootKeysRule = {
  name: 'a tenant has one root key, requested or connected',
  check(command, state) {
    if (command.kind !== 'RequestConnection' || state.status === 'none') return allowed;
    return [...state.keys.values()].some((entry) => entry.status !== 'refused')
      ? refused('wrong_state', 'The tenant has a root key; a second one is not supported yet.')
      : allowed;
  },
};

const observedWhenConnected: RootKeysRule = {
  name: 'only a connected root key is probed and observed',
  check(command, state) {
    switch (command.kind) {
      case 'RequestConnection':
      case 'ConfirmConnection':
      case 'RefuseConnection':
        return allowed;
      case 'RequestProbe':
      case 'RecordProbe':
      case 'RecordDenied':
      case 'RecordIndeterminate':
      case 'RecordRestored':
      case 'RecordKeyVersion': {
        const entry = entryOf(state, command.rootKeyId);
        return entry === null || isConnected(entry)
          ? allowed
          : refused('wrong_state', 'This root key is not connected.');
      }
      default:
        return never(command);
    }
  },
};

const connectedToOneKey: RootKeysRule = {
  name: 'a connection once settled stays as it was settled',
  check(command, state) {
    const entry = entryOf(state, command.rootKeyId);
    if (entry === null) return allowed;
    if (command.kind === 'ConfirmConnection') {
      if (entry.status === 'refused')
        return refused('wrong_state', 'This connection was refused; request it again.');
      if (isConnected(entry) && entry.resolved !== command.resolved)
        return refused('wrong_state', 'This root key is connected to another key.');
    }
    if (command.kind === 'RefuseConnection' && isConnected(entry))
      return refused('wrong_state', 'This root key is connected.');
    return allowed;
  },
};

const probeOfItsKey: RootKeysRule = {
  name: 'a probe is recorded on the root key it was asked of',
  check(command, state) {
    if (command.kind !== 'RequestProbe' && command.kind !== 'RecordProbe') return allowed;
    const pending = state.status === 'some' ? state.probes.get(command.operation) : undefined;
    return pending === undefined || pending === command.rootKeyId
      ? allowed
      : refused('wrong_state', 'This operation probes another root key.');
  },
};

export const rootkeysPolicies: readonly RootKeysRule[] = [
  requestedBeforeAnythingElse,
  oneRootKey,
  observedWhenConnected,
  connectedToOneKey,
  probeOfItsKey,
];
