import { never } from '@kcm/kernel';
import { accepted, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { AccessCommand } from './access.commands.js';
import type { AccessEvent } from './access.events.js';
import { accessPolicies, locksOf } from './access.policies.js';
import type { AccessState, Lock } from './access.state.js';

type TakeLock = Extract<AccessCommand, { kind: 'TakeLock' }>;

function take(command: TakeLock, state: AccessState): Decision<AccessEvent> {
  const locks = locksOf(state);
  if (locks.some((held) => held.lock === command.lock)) return accepted();
  // The keystore repeats itself at every probe, and a killed tenant needs no further closing.
  const heard = state.status === 'killed' || locks.some((held) => held.kind === 'providerDenied');
  if (command.lockKind === 'providerDenied' && heard) return accepted();
  const { kind: _, lockKind, ...rest } = command;
  return accepted({
    type: 'LockTaken',
    data: { ...rest, kind: lockKind, epoch: state.epoch + 1 },
  });
}

function release(state: AccessState, which: (held: Lock) => boolean): Decision<AccessEvent> {
  const found = locksOf(state).find(which);
  if (found === undefined || state.status === 'killed') return accepted();
  const { lock, kind } = found;
  return accepted({ type: 'LockReleased', data: { lock, kind, epoch: state.epoch + 1 } });
}

function decide(command: AccessCommand, state: AccessState): Decision<AccessEvent> {
  const refusal = firstRefusal(accessPolicies, command, state);
  if (refusal !== null) return refusal;
  switch (command.kind) {
    case 'TakeLock':
      return take(command, state);
    case 'ReleaseLock':
      return release(state, (held) => held.lock === command.lock);
    case 'Unblock':
      return release(state, (held) => held.kind === 'blocked');
    case 'RaiseTerm': {
      const { ledger } = command;
      return accepted({ type: 'TermRaised', data: { term: state.term + 1, ledger } });
    }
    default:
      return never(command);
  }
}

function withLocks(state: AccessState, epoch: number, locks: readonly Lock[]): AccessState {
  const { term } = state;
  if (locks.length === 0) return { status: 'open', term, epoch };
  const killed = locks.some((lock) => lock.kind === 'killed');
  return { status: killed ? 'killed' : 'locked', term, epoch, locks };
}

function evolve(state: AccessState, event: AccessEvent): AccessState {
  switch (event.type) {
    case 'LockTaken': {
      const { lock, kind, scope, owner, cause, lockedBy = null, epoch } = event.data;
      return withLocks(state, epoch, [
        ...locksOf(state),
        { lock, kind, scope, owner, cause, lockedBy },
      ]);
    }
    case 'LockReleased':
      return withLocks(
        state,
        event.data.epoch,
        locksOf(state).filter((lock) => lock.lock !== event.data.lock),
      );
    case 'TermRaised':
      return { ...state, term: event.data.term };
    default:
      return never(event);
  }
}

/** The only decider that raises a tenant's term and epoch. */
export const accessDecider: Decider<AccessCommand, AccessState, AccessEvent> = {
  initial: { status: 'open', term: 1, epoch: 0 },
  decide,
  evolve,
};
