import { defaultPolicy, type Recorded, type RotationCause, rotationByAgeAt } from '@kcm/domain';
import { commandIdOf, LIMITS, streamOf } from '@kcm/kernel';
import { isOpen } from '../locks.js';
import { ownerOf, type Process, type Todo } from '../process.js';
import { evolveRotation, isUse } from './evolve.js';
import type { RotationState, TurningKey } from './state.js';

export type { RotationState, TurningKey } from './state.js';

/** Why a version is to be replaced, and from when on; the earliest reason. */
function reasonOf(
  { tenant, policy }: RotationState,
  key: TurningKey,
): { readonly cause: RotationCause; readonly at: string } | null {
  const { newerAt, usedUpAt } = key;
  const byAge = rotationByAgeAt({ tenant, ...key }, policy[key.level]);
  const reasons = [
    ...(newerAt === null ? [] : [{ cause: 'root-key', at: newerAt } as const]),
    ...(usedUpAt === null ? [] : [{ cause: 'uses', at: usedUpAt } as const]),
    ...(byAge === null ? [] : [{ cause: 'age', at: byAge } as const]),
  ];
  return reasons.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))[0] ?? null;
}

function todo(state: RotationState): readonly Todo[] {
  const { tenant, locks } = state;
  const list: Todo[] = [];
  for (const each of state.keys) {
    const { key, version, refused, againAt, service } = each;
    if (each.rotating || !each.inUse || !isOpen(locks, service ?? undefined)) continue;
    const reason = reasonOf(state, each);
    if (reason === null) continue;
    const { cause, at } = reason;
    const operation = commandIdOf(['rotation', tenant, key, version, refused]);
    list.push({
      id: `${cause}:${key}/${version}:${refused}`,
      dueAt: againAt !== null && againAt > at ? againAt : at,
      step: {
        kind: 'key',
        stream: streamOf('key', tenant, key),
        command: { kind: 'RequestRotation', operation, cause },
      },
    });
  }
  return list;
}

/** Of what stands on the lists: a rotation whose time has passed, or that was refused before. */
export const isOverdueRotation = (standing: {
  readonly process: string;
  readonly item: string;
  readonly dueMs: number;
}): boolean =>
  standing.process === rotation.name && (standing.dueMs > 0 || !standing.item.endsWith(':0'));

/**
 * Whom an event concerns: a report of an Edge, everybody whose keys protected something. Of what was
 * refused it names tenants that a caller may have made up.
 */
function tenantsOf(event: Recorded): readonly string[] {
  if (event.type !== 'UsageReported') return ownerOf(event);
  return [...new Set(event.data.entries.filter(isUse).map(({ tenant }) => tenant))];
}

/**
 * Asks for a rotation when the tenant's policy says so (age, uses), and of the L2 when its root key
 * has a newer version. That it is asked for is an event: `onboarding` does it. While a lock stands
 * nothing is asked; what came due meanwhile is late then. What is refused is asked again, ever less
 * often, at once when the keystore is back. Subject: the tenant.
 */
export const rotation: Process<RotationState> = {
  name: 'rotation',
  version: 1,
  handles: [
    'TenantRegistered',
    'TenantPolicyChanged',
    'LockTaken',
    'LockReleased',
    'UsageReported',
    'RootKeyVersionObserved',
    'RootKeyRestored',
    'KeyCreated',
    'KeyVersionWrapped',
    'KeyRotationRequested',
    'KeyRotated',
    'KeyVersionPrepared',
    'KeyRotationRefused',
    'KeyVersionDeactivated',
    'KeyVersionDestroyed',
    'KeyCompromised',
    'KeyRevoked',
  ],
  latePerSecondMax: LIMITS.lateRotationsPerSecondMax,
  subjects: tenantsOf,
  initial: (tenant) => ({ tenant, policy: defaultPolicy.rotation, locks: [], keys: [] }),
  evolve: evolveRotation,
  todo,
};
