import { refused } from '../decider.js';
import { allowed, type Policy } from '../policy.js';
import type { KeyCommand } from './key.commands.js';
import { type ExistingKey, type KeyState, versionOf } from './key.state.js';
import { type KeyOperation, keyRefusal } from './key.states.js';

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
    const { level, parent } = state;
    return level === 'L3' && parent === command.wrappedBy.id
      ? allowed
      : refused('wrong_state', 'Only an L3 is wrapped anew, under its own L2.');
  },
};

const revokedStaysRevoked: KeyRule = {
  name: 'a revoked key is never rotated',
  check(command, state) {
    if (command.kind !== 'RequestRotation' && command.kind !== 'CompleteRotation') return allowed;
    return state.status === 'revoked' ? refused('wrong_state', 'This key is revoked.') : allowed;
  },
};

/** What each command asks of the matrix of states. */
const ASKS: { readonly [K in KeyCommand['kind']]?: KeyOperation } = {
  ActivateVersion: 'activate',
  DeactivateVersion: 'deactivate',
  CompromiseVersions: 'compromise',
  ArchiveVersion: 'archive',
  RecoverVersion: 'recover',
  RequestDestruction: 'destroy',
};
const WORDS: { readonly [O in KeyOperation]?: string } = {
  activate: 'activated',
  deactivate: 'deactivated',
  compromise: 'marked compromised',
  archive: 'archived',
  recover: 'recovered',
  destroy: 'destroyed',
};

const versionsOfTheCommand = (command: KeyCommand, { current }: ExistingKey): readonly number[] => {
  if ('version' in command) return [command.version ?? current];
  return command.kind === 'CompromiseVersions' ? (command.versions ?? []) : [];
};

const versionIsThere: KeyRule = {
  name: 'only a version that is there has a life',
  check(command, state) {
    if (state.status === 'absent' || command.kind === 'CreateKey') return allowed;
    const missing = versionsOfTheCommand(command, state).find(
      (version) => versionOf(state, version) === null,
    );
    return missing === undefined
      ? allowed
      : refused('not_found', `This key has no version ${missing}.`);
  },
};

const asTheMatrixSays: KeyRule = {
  name: 'a version goes from state to state as the matrix of states allows',
  check(command, state) {
    const operation = ASKS[command.kind];
    if (operation === undefined || state.status === 'absent') return allowed;
    for (const number of versionsOfTheCommand(command, state)) {
      const version = versionOf(state, number);
      const code = version === null ? null : keyRefusal(version, operation);
      if (code === null) continue;
      const is = version!.archived === true ? 'archived' : version!.state;
      return refused(code, `Version ${number} is ${is} and cannot be ${WORDS[operation]}.`);
    }
    return allowed;
  },
};

const whatIsToGoComesNotBack: KeyRule = {
  name: 'a version whose destruction is under way is not recovered',
  check(command, state) {
    if (command.kind !== 'RecoverVersion' || state.status === 'absent') return allowed;
    return versionOf(state, command.version)?.destruction === undefined
      ? allowed
      : refused('wrong_state', 'The destruction of this version is under way.');
  },
};

const oneDestructionAtATime: KeyRule = {
  name: 'the destruction of a version is asked for once at a time',
  check(command, state) {
    if (command.kind !== 'RequestDestruction' || state.status === 'absent') return allowed;
    const under = versionOf(state, command.version)?.destruction;
    return under === undefined || under === command.operation
      ? allowed
      : refused('wrong_state', 'The destruction of this version is under way.');
  },
};

const nothingTakesOverThatIsToGo: KeyRule = {
  name: 'a version whose destruction is under way takes over from none',
  check(command, state) {
    if (command.kind !== 'ActivateVersion' || state.status === 'absent') return allowed;
    return versionOf(state, command.version)?.destruction === undefined
      ? allowed
      : refused('wrong_state', 'The destruction of this version is under way.');
  },
};

const onlyAnL2IsRewrappedFrom: KeyRule = {
  name: 'only an L2 has keys under it to wrap anew',
  check(command, state) {
    if (command.kind !== 'ChangeRewrapping' || state.status === 'absent') return allowed;
    return state.level === 'L2'
      ? allowed
      : refused('wrong_state', 'Only the tenant key has keys under it.');
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
  versionIsThere,
  onlyAnL3IsRewrapped,
  onlyAnL2IsRewrappedFrom,
  revokedStaysRevoked,
  asTheMatrixSays,
  oneDestructionAtATime,
  whatIsToGoComesNotBack,
  nothingTakesOverThatIsToGo,
  oneRotationAtATime,
];
