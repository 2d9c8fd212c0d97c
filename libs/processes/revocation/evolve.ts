import type { Grant, Recorded, Scope } from '@kcm/domain';
import { LIMITS, parseStream, rfc3339 } from '@kcm/kernel';
import type { HeldLock, KnownGrant, RevocationProcessState } from './state.js';

const after = (at: string, seconds: number): string => rfc3339(Date.parse(at) + seconds * 1000);
const inScope = (scope: Scope, service: string): boolean =>
  'all' in scope || scope.service === service;
const later = (a: string | undefined, b: string): string => (a === undefined || a < b ? b : a);

/** A lease granted under an older, longer policy lives on after the change. */
function withPolicy(
  state: RevocationProcessState,
  seconds: number,
  at: string,
): RevocationProcessState {
  const until = after(at, LIMITS.leaseSecondsMax);
  const older = state.leaseSeconds
    .map((each) => ({ seconds: each.seconds, until: each.until ?? until }))
    .filter((each) => each.until > at);
  return { ...state, leaseSeconds: [...older, { seconds, until: null }] };
}

function longestLease(state: RevocationProcessState, at: string): number {
  const alive = state.leaseSeconds.filter((each) => each.until === null || each.until > at);
  return Math.max(0, ...alive.map((each) => each.seconds)) || LIMITS.leaseSecondsMax;
}

function holdersOf(
  grants: readonly KnownGrant[],
  scope: Scope,
  at: string,
): { [holder: string]: string } {
  const holders: { [holder: string]: string } = {};
  for (const { holder, service, endsAt } of grants)
    if (endsAt > at && inScope(scope, service)) holders[holder] = later(holders[holder], endsAt);
  return holders;
}

function withGrants(
  state: RevocationProcessState,
  given: readonly Grant[],
  at: string,
): RevocationProcessState {
  const alive = Object.entries(state.grants).filter(([, grant]) => grant.endsAt > at);
  const added = given.map(({ holder, boot, key, version, service, endsAt }) => [
    `${holder}/${boot}/${key}/${version}`,
    { holder, service, endsAt },
  ]);
  // Granted before the lock and recorded after it: the holder is told of it all the same.
  const locks = state.locks.map((lock) => {
    const before = given.filter(({ epoch }) => epoch < lock.epoch);
    if (lock.recorded || before.length === 0) return lock;
    const holders = { ...lock.holders };
    for (const [holder, ends] of Object.entries(holdersOf(before, lock.scope, lock.startedAt)))
      holders[holder] = later(holders[holder], ends);
    return { ...lock, holders };
  });
  return { ...state, grants: Object.fromEntries([...alive, ...added]), locks };
}

const changed = (
  state: RevocationProcessState,
  lock: string,
  change: Partial<HeldLock>,
): RevocationProcessState => ({
  ...state,
  locks: state.locks.map((each) => (each.lock === lock ? { ...each, ...change } : each)),
});

const without = (state: RevocationProcessState, lock: string): RevocationProcessState => ({
  ...state,
  locks: state.locks.filter((each) => each.lock !== lock),
});

function lockTaken(
  state: RevocationProcessState,
  event: Extract<Recorded, { type: 'LockTaken' }>,
): RevocationProcessState {
  const at = event.meta.occurredAt;
  const { lock, kind, scope, cause, epoch, lockedBy } = event.data;
  const { rootKeyId, callId, providerRequestId = null } = event.data;
  const proved = rootKeyId !== undefined && callId !== undefined;
  const held: HeldLock = {
    lock,
    kind,
    scope,
    cause,
    lockedBy: lockedBy ?? event.meta.actor,
    startedAt: at,
    hardBound: after(at, longestLease(state, at) + LIMITS.boundSlackSeconds),
    epoch,
    probe: proved ? { rootKeyId, callId, providerRequestId } : null,
    holders: holdersOf(Object.values(state.grants), scope, at),
    recorded: false,
    releasedBy: null,
  };
  return { ...state, locks: [...state.locks, held] };
}

export function evolveRevocation(
  state: RevocationProcessState,
  event: Recorded,
): RevocationProcessState {
  const { id } = parseStream(event.stream);
  const at = event.meta.occurredAt;
  switch (event.type) {
    case 'TenantRegistered':
    case 'TenantPolicyChanged':
      return withPolicy(state, event.data.policy.leaseSeconds, at);
    case 'LeasesGranted':
    case 'LeasesRenewed':
      return withGrants(state, event.data.grants, at);
    case 'LockTaken':
      return lockTaken(state, event);
    case 'LockReleased':
      return changed(state, event.data.lock, { releasedBy: event.meta.actor });
    case 'TenantBlocked':
      return changed(state, event.data.lock, { recorded: true });
    case 'TenantUnblocked':
      return without(state, event.data.lock);
    case 'RevocationLocked':
      return changed(state, id ?? '', { recorded: true });
    case 'RevocationReleased':
    case 'RevocationShredded':
      return without(state, id ?? '');
    default:
      return state;
  }
}
