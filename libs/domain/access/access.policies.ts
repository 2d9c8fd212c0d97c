import { refused } from '../decider.js';
import { allowed, type Policy } from '../policy.js';
import type { AccessCommand } from './access.commands.js';
import type { LockKind, LockOwner, Scope } from './access.events.js';
import type { AccessState, Lock } from './access.state.js';

type AccessRule = Policy<AccessCommand, AccessState>;

/** Whose verb releases a lock of this kind, whoever took it. */
export const LOCK_OWNERS: { readonly [K in LockKind]: LockOwner } = {
  providerDenied: 'keystore',
  suspended: 'tenant',
  readOnly: 'tenant',
  blocked: 'platform',
  killed: 'tenant',
};

export const locksOf = (state: AccessState): readonly Lock[] =>
  state.status === 'open' ? [] : state.locks;

/** What people of the tenant take and lift: of the whole tenant or of one service. */
const isLiftable = (kind: LockKind): boolean => kind === 'suspended' || kind === 'readOnly';

const sameScope = (a: Scope, b: Scope): boolean =>
  'all' in a ? 'all' in b : 'service' in b && a.service === b.service;

const ownerFitsKind: AccessRule = {
  name: 'a kind of lock has one owner',
  check(command) {
    if (command.kind !== 'TakeLock' || LOCK_OWNERS[command.lockKind] === command.owner)
      return allowed;
    return refused(
      'forbidden',
      `A lock ${command.lockKind} is not the ${command.owner}'s to take.`,
    );
  },
};

const wholeTenantUnlessLiftable: AccessRule = {
  name: 'only a suspend or a read-only may concern one service',
  check(command) {
    if (command.kind !== 'TakeLock' || isLiftable(command.lockKind) || 'all' in command.scope)
      return allowed;
    return refused('invalid_request', 'This lock concerns the whole tenant.', [
      { path: 'scope', code: 'all_only', detail: '{"all":true}' },
    ]);
  },
};

const killIsTerminal: AccessRule = {
  name: 'nothing is locked on or released from a killed tenant',
  check(command, state) {
    if (state.status !== 'killed' || command.kind !== 'TakeLock') return allowed;
    if (state.locks.some((lock) => lock.lock === command.lock)) return allowed;
    if (command.lockKind === 'killed')
      return refused('wrong_state', 'The tenant is killed already.');
    return command.owner === 'keystore'
      ? allowed
      : refused('tenant_killed', 'The tenant is killed.');
  },
};

const oneLockAScope: AccessRule = {
  name: 'a scope is suspended, read-only or blocked once at a time',
  check(command, state) {
    if (command.kind !== 'TakeLock' || command.owner === 'keystore') return allowed;
    const held = locksOf(state).some(
      (lock) =>
        lock.lock !== command.lock &&
        lock.kind === command.lockKind &&
        sameScope(lock.scope, command.scope),
    );
    return held ? refused('wrong_state', `This scope is ${command.lockKind} already.`) : allowed;
  },
};

const releasedByItsOwner: AccessRule = {
  name: 'a lock is released by its owner, a kill by nobody alone',
  check(command, state) {
    if (command.kind !== 'ReleaseLock') return allowed;
    const lock = locksOf(state).find((held) => held.lock === command.lock);
    if (lock === undefined) return refused('not_found', 'No such lock is held.');
    if (lock.kind === 'killed')
      return refused('approval_required', 'A kill is released by a quorum only.');
    if (lock.owner !== command.owner)
      return refused('forbidden', `Only the ${lock.owner} releases this lock.`);
    if (state.status === 'killed' && command.owner !== 'keystore')
      return refused('tenant_killed', 'The tenant is killed.');
    return allowed;
  },
};

const anotherPersonReleases: AccessRule = {
  name: 'who suspended or made read-only does not release',
  check(command, state) {
    if (command.kind !== 'ReleaseLock' || command.releasedBy === undefined) return allowed;
    const lock = locksOf(state).find((held) => held.lock === command.lock);
    if (lock === undefined || !isLiftable(lock.kind) || lock.lockedBy !== command.releasedBy)
      return allowed;
    return refused('forbidden', 'Who locked cannot release; another person must.');
  },
};

const unblockedWhenBlocked: AccessRule = {
  name: 'only a blocked tenant is unblocked, and a killed one is not',
  check(command, state) {
    if (command.kind !== 'Unblock') return allowed;
    if (state.status === 'killed') return refused('tenant_killed', 'The tenant is killed.');
    return locksOf(state).some((held) => held.kind === 'blocked')
      ? allowed
      : refused('wrong_state', 'The tenant is not blocked.');
  },
};

export const accessPolicies: readonly AccessRule[] = [
  ownerFitsKind,
  wholeTenantUnlessLiftable,
  killIsTerminal,
  oneLockAScope,
  releasedByItsOwner,
  anotherPersonReleases,
  unblockedWhenBlocked,
];
