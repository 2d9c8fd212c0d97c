import { LIMITS, type FieldError } from '@kcm/kernel';
import { refused } from '../decider.js';
import { allowed, type Policy } from '../policy.js';
import type { RegionCommand } from './region.commands.js';
import type { RegionState } from './region.state.js';

type RegionRule = Policy<RegionCommand, RegionState>;

const sharesFitThreshold: RegionRule = {
  name: 'two or more shares open the seal, and each share is known by its digest',
  check(command) {
    if (command.kind !== 'InitializeRegion') return allowed;
    const { seal, shares, threshold, shareDigests } = command.region;
    const errors: FieldError[] = [];
    const whole = (value: number, min: number, max: number) =>
      Number.isInteger(value) && value >= min && value <= max;
    if (seal === 'shamir') {
      if (!whole(shares, 2, LIMITS.sharesMax))
        errors.push({ path: 'shares', code: 'out_of_range', detail: `2 to ${LIMITS.sharesMax}` });
      if (!whole(threshold, 2, shares))
        errors.push({ path: 'threshold', code: 'out_of_range', detail: '2 to the shares' });
    }
    if (shareDigests.length !== (seal === 'shamir' ? shares : 0))
      errors.push({ path: 'shareDigests', code: 'wrong_count', detail: 'one a share' });
    return errors.length === 0
      ? allowed
      : refused('invalid_request', 'The seal configuration is wrong.', errors);
  },
};

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

export const regionPolicies: readonly RegionRule[] = [
  sharesFitThreshold,
  initializedOnce,
  issuesOnlyUnsealed,
];
