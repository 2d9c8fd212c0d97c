import { never } from '@kcm/kernel';
import { refused } from '../decider.js';
import { allowed, type Policy } from '../policy.js';
import type { RevocationCommand } from './revocation.commands.js';
import type { ReceiptKind, RevocationKind } from './revocation.events.js';
import type { RevocationState } from './revocation.state.js';

type RevocationRule = Policy<RevocationCommand, RevocationState>;

/**
 * The receipt of the lock itself, by what locked. None of a read-only: a receipt certifies that
 * nobody uses a key any more and what became of it, and here every holder keeps it to decrypt.
 */
export const LOCK_RECEIPTS: { readonly [K in RevocationKind]: ReceiptKind | null } = {
  suspend: 'locked',
  'read-only': null,
  kill: 'locked',
  'provider-denied': 'provider-denied',
  'l1-destroyed': 'l1-destroyed',
};

const openedFirst: RevocationRule = {
  name: 'a revocation is opened before anything else is said of it',
  check: (command, state) =>
    state.status === 'absent' && command.kind !== 'OpenRevocation'
      ? refused('not_found', 'No such revocation.')
      : allowed,
};

const killIsNotReleased: RevocationRule = {
  name: 'a kill is released by a quorum only',
  check(command, state) {
    if (command.kind !== 'RecordReleased' || state.status === 'absent') return allowed;
    if (state.locked.kind === 'kill')
      return refused('approval_required', 'A kill is released by a quorum only.');
    return allowed;
  },
};

const onlyAKillShreds: RevocationRule = {
  name: 'only a standing kill leads to a shred, and one shred only',
  check(command, state) {
    if (command.kind !== 'RequestShred' || state.status === 'absent') return allowed;
    if (state.locked.kind !== 'kill') return refused('wrong_state', 'Only a kill can be shredded.');
    switch (state.status) {
      case 'locked':
        return allowed;
      case 'released':
        return refused('wrong_state', 'This revocation was released.');
      case 'shredding':
      case 'shredded':
        return refused('wrong_state', 'The shred was requested already.');
      default:
        return never(state);
    }
  },
};

const anotherPersonShreds: RevocationRule = {
  name: 'who locked does not shred',
  check(command, state) {
    if (command.kind !== 'RequestShred' || state.status === 'absent') return allowed;
    return state.locked.lockedBy === command.requestedBy
      ? refused('forbidden', 'Who locked cannot shred; another person must.')
      : allowed;
  },
};

const shreddedAfterRequest: RevocationRule = {
  name: 'a shred is recorded when it was requested',
  check: (command, state) =>
    command.kind === 'RecordShredded' && (state.status === 'locked' || state.status === 'released')
      ? refused('wrong_state', 'No shred was requested.')
      : allowed,
};

const receiptOfWhatHappened: RevocationRule = {
  name: 'a receipt says what happened and nothing else',
  check(command, state) {
    if (command.kind !== 'RecordReceipt' || state.status === 'absent') return allowed;
    const fits =
      command.receiptKind === 'shredded'
        ? state.status === 'shredded'
        : LOCK_RECEIPTS[state.locked.kind] === command.receiptKind;
    return fits ? allowed : refused('wrong_state', 'This revocation has no such ending.');
  },
};

export const revocationPolicies: readonly RevocationRule[] = [
  openedFirst,
  killIsNotReleased,
  onlyAKillShreds,
  anotherPersonShreds,
  shreddedAfterRequest,
  receiptOfWhatHappened,
];
