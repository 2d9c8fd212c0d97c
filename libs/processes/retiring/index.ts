import { defaultPolicy, operationIdOf } from '@kcm/domain';
import { LIMITS, parseStream, rfc3339, streamOf } from '@kcm/kernel';
import { isOpen } from '../locks.js';
import type { Process, Todo } from '../process.js';
import { evolve } from './evolve.js';
import type { RetiringKey, RetiringState, RetiringVersion } from './state.js';

/**
 * Whether nothing hangs from a version as far as this process knows; Core asks again before it
 * destroys anything.
 */
const isDrained = (state: RetiringState, of: RetiringKey, { version, inUse }: RetiringVersion) =>
  of.level === 'L3'
    ? inUse <= 0
    : !state.keys.some(
        ({ level, versions }) =>
          level === 'L3' && versions.some((each) => !each.destroyed && each.under === version),
      );

function retirement(state: RetiringState, of: RetiringKey, version: RetiringVersion): Todo | null {
  const { tenant, rotation, locks } = state;
  const { deactivatedAt, refusals, refusedAt } = version;
  const after = rotation[of.level].retireAfterSeconds;
  if (deactivatedAt === null || after === null || !isOpen(locks)) return null;
  if (!isDrained(state, of, version)) return null;
  const age = Date.parse(deactivatedAt) + after * 1000;
  const again = refusedAt === null ? age : Date.parse(refusedAt) + againMs(refusals);
  return {
    id: `retire:${of.key}/${version.version}:${refusals}`,
    dueAt: rfc3339(Math.max(age, again)),
    step: {
      kind: 'key',
      stream: streamOf('key', tenant, of.key),
      command: {
        kind: 'RequestDestruction',
        version: version.version,
        operation: operationIdOf.retire(tenant, of.key, version.version, refusals),
        cause: 'retired',
      },
    },
  };
}

/** An Edge may have had more to tell; one that died never tells it, and nobody else does. */
function againMs(refusals: number): number {
  const { retirementRetrySecondsMin: min, retirementRetrySecondsMax: max } = LIMITS;
  return 1000 * Math.min(max, min * 2 ** Math.min(refusals - 1, 30));
}

function todoOf(state: RetiringState, of: RetiringKey, each: RetiringVersion): Todo | null {
  const at = { tenant: state.tenant, key: of.key, version: each.version };
  const name = `${of.key}/${each.version}`;
  if (each.destroyed) return { id: `erase:${name}`, step: { kind: 'eraseVersion', ...at } };
  return each.asked === null
    ? retirement(state, of, each)
    : {
        id: `destroy:${each.asked.operation}`,
        step: { kind: 'destroyVersion', ...at, ...each.asked },
      };
}

/**
 * The end of key versions: by command, or by policy once nothing hangs from a deactivated one any
 * more and it is old enough. Asked, answered, destroyed, erased: each an event. Subject: the tenant.
 */
export const retiring: Process<RetiringState> = {
  name: 'retiring',
  version: 1,
  handles: [
    'TenantRegistered',
    'TenantPolicyChanged',
    'LockTaken',
    'LockReleased',
    'KeyCreated',
    'KeyVersionWrapped',
    'KeyVersionRewrapped',
    'KeyVersionDeactivated',
    'KeyDestructionRequested',
    'KeyDestructionRefused',
    'KeyVersionDestroyed',
    'KeyVersionErased',
    'KeyRevoked',
    'UsageReported',
  ],
  subjects: (event) =>
    event.type === 'UsageReported'
      ? [...new Set(event.data.entries.map(({ tenant }) => tenant))]
      : [parseStream(event.stream).owner],
  initial: (tenant) => ({ tenant, rotation: defaultPolicy.rotation, locks: [], keys: [] }),
  evolve,
  todo: (state) =>
    state.keys.flatMap((of) => of.versions.flatMap((each) => todoOf(state, of, each) ?? [])),
};
