import { refused } from '../decider.js';
import { allowed, type Policy } from '../policy.js';
import type { KeyCommand } from './key.commands.js';
import type { KeyState } from './key.state.js';

type KeyRule = Policy<KeyCommand, KeyState>;

const createdOnce: KeyRule = {
  name: 'a key is created once, and before anything else',
  check(command, state) {
    if (command.kind !== 'CreateKey')
      return state.status === 'absent' ? refused('not_found', 'No such key.') : allowed;
    if (state.status === 'absent') return allowed;
    return state.status === 'revoked'
      ? refused('wrong_state', 'This key is revoked for ever.')
      : refused('already_exists', 'This key exists; its recorded material stands.');
  },
};

const serviceOfAnL3: KeyRule = {
  name: 'an L3 belongs to one service, an L2 to the whole tenant',
  check(command) {
    if (command.kind !== 'CreateKey' || (command.level === 'L3') === (command.service !== null))
      return allowed;
    return refused('invalid_request', 'The level and the service do not fit.', [
      { path: 'service', code: 'mismatch', detail: 'named for an L3 only' },
    ]);
  },
};

const onlyAnL3IsRewrapped: KeyRule = {
  name: 'a version of an L3 is wrapped anew, under a later version of the L2 that it hangs from',
  check(command, state) {
    if (command.kind !== 'RecordRewrap' || state.status === 'absent') return allowed;
    const { level, parent, versions } = state;
    if (level !== 'L3' || parent !== command.wrappedBy.id)
      return refused('wrong_state', 'Only an L3 is wrapped anew, under its own L2.');
    return versions.some(({ version }) => version === command.version)
      ? allowed
      : refused('not_found', 'This key has no such version.');
  },
};

const revokedStaysRevoked: KeyRule = {
  name: 'a revoked key is never rotated',
  check(command, state) {
    if (command.kind !== 'RequestRotation' && command.kind !== 'CompleteRotation') return allowed;
    return state.status === 'revoked' ? refused('wrong_state', 'This key is revoked.') : allowed;
  },
};

const oneRotationAtATime: KeyRule = {
  name: 'one rotation at a time, completed from the version it started from',
  check(command, state) {
    if (state.status !== 'rotating' && state.status !== 'active') return allowed;
    if (command.kind === 'RequestRotation')
      return state.status === 'rotating' && state.operation !== command.operation
        ? refused('wrong_state', 'A rotation of this key is under way.')
        : allowed;
    if (command.kind !== 'CompleteRotation' || command.from < state.current) return allowed;
    return state.status === 'rotating' &&
      state.operation === command.operation &&
      state.current === command.from
      ? allowed
      : refused('wrong_state', 'No such rotation of this key is under way.');
  },
};

export const keyPolicies: readonly KeyRule[] = [
  createdOnce,
  serviceOfAnL3,
  onlyAnL3IsRewrapped,
  revokedStaysRevoked,
  oneRotationAtATime,
];
