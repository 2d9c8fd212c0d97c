import { LIMITS, type FieldError } from '@kcm/kernel';
import { refused } from '../decider.js';
import { allowed, type Policy } from '../policy.js';
import type { RegionCommand } from './region.commands.js';
import type { RegionState } from './region.state.js';

type RegionRule = Policy<RegionCommand, RegionState>;

const sharesFitThreshold: RegionRule = {
  name: 'two or more shares open the seal, and each share is known by its digest',
  check(command) {
    if (command.kind === 'InitializeRegion') return setFits(command.region);
    return command.kind === 'RecordRekeyed' ? setFits(command.rekey) : allowed;
  },
};

type ShareSet = Extract<RegionCommand, { kind: 'InitializeRegion' }>['region'];

function setFits(set: Omit<ShareSet, 'keys'>): ReturnType<RegionRule['check']> {
  const { seal, shares, threshold, shareDigests, keystore } = set;
  const errors: FieldError[] = [];
  const whole = (value: number, min: number, max: number) =>
    Number.isInteger(value) && value >= min && value <= max;
  const wrong = (path: string, code: string, detail: string) => errors.push({ path, code, detail });
  if (seal !== 'auto') {
    if (!whole(shares, 2, LIMITS.sharesMax))
      wrong('shares', 'out_of_range', `2 to ${LIMITS.sharesMax}`);
    if (!whole(threshold, 2, shares)) wrong('threshold', 'out_of_range', '2 to the shares');
  }
  if (shareDigests.length !== (seal === 'auto' ? 0 : shares))
    wrong('shareDigests', 'wrong_count', 'one a share');
  if ((keystore === undefined) === (seal === 'keystore'))
    wrong('keystore', 'invalid', 'stands with the seal "keystore" alone');
  return errors.length === 0
    ? allowed
    : refused('invalid_request', 'The seal configuration is wrong.', errors);
}

const initializedOnce: RegionRule = {
  name: 'a region is initialised once, and before anything else',
  check(command, state) {
    const fresh = state.status === 'uninitialized';
    if (command.kind === 'InitializeRegion')
      return fresh ? allowed : refused('already_exists', 'The region is initialised already.');
    return fresh ? refused('wrong_state', 'The region is not initialised.') : allowed;
  },
};

const issuesOnlyUnsealed: RegionRule = {
  name: 'tokens and certificates are issued while unsealed',
  check(command, state) {
    if (command.kind !== 'RecordToken' && command.kind !== 'RecordCertificate') return allowed;
    return state.status === 'sealed' ? refused('sealed', 'The region is sealed.') : allowed;
  },
};

const oneSetAfterAnother: RegionRule = {
  name: 'a rekey replaces the set of shares that counts, once, while unsealed',
  check(command, state) {
    if (command.kind !== 'RecordRekeyed' || state.status === 'uninitialized') return allowed;
    if (state.status === 'sealed') return refused('sealed', 'The region is sealed.');
    const { replaces, setId } = command.rekey;
    return replaces === state.config.setId && setId !== replaces
      ? allowed
      : refused('wrong_state', `The shares of set ${replaces} do not count any more.`);
  },
};

const wholeKeyring: RegionRule = {
  name: 'a rekey takes over the keyring with every key that the barrier writes with',
  check(command, state) {
    if (command.kind !== 'RecordRekeyed' || state.status === 'uninitialized') return allowed;
    return command.entry >= (state.entry ?? 1)
      ? allowed
      : refused('wrong_state', 'The keyring was rotated meanwhile: begin the rekey again.');
  },
};

const rotatesOnlyUnsealed: RegionRule = {
  name: 'the keyring grows while unsealed',
  check(command, state) {
    return command.kind === 'RecordKeyringRotated' && state.status === 'sealed'
      ? refused('sealed', 'The region is sealed.')
      : allowed;
  },
};

const rotatesTheSetThatCounts: RegionRule = {
  name: 'a keyring grows under the shares that count',
  check(command, state) {
    if (command.kind !== 'RecordKeyringRotated' || state.status === 'uninitialized') return allowed;
    return command.setId === state.config.setId
      ? allowed
      : refused('wrong_state', 'The shares were replaced meanwhile: rotate with the new ones.');
  },
};

export const regionPolicies: readonly RegionRule[] = [
  sharesFitThreshold,
  initializedOnce,
  issuesOnlyUnsealed,
  oneSetAfterAnother,
  wholeKeyring,
  rotatesOnlyUnsealed,
  rotatesTheSetThatCounts,
];
