import { commandIdOf, streamOf } from '@kcm/kernel';
import { isOpen } from '../locks.js';
import { ownerOf, type Process, type Todo } from '../process.js';
import { evolveCompromise } from './evolve.js';
import type { CompromiseState, KnownKey } from './state.js';

export type { CompromiseState, KnownKey, OpenExposure } from './state.js';

/** Whether somebody who knows compromised versions may know the one that new use takes. */
function isKnown({ current, compromised, under }: KnownKey, l2: KnownKey | null): boolean {
  if (compromised[current] !== undefined) return true;
  return (under[current] ?? []).some((parent) => l2?.compromised[parent] !== undefined);
}

function rotations({ tenant, locks, keys }: CompromiseState): readonly Todo[] {
  const l2 = keys.find(({ level }) => level === 'L2') ?? null;
  const exposed = (each: KnownKey) => isKnown(each, l2);
  // What is made under an L2 that is known would be known too: that one is rotated first.
  const first = l2 !== null && exposed(l2) ? [l2] : keys.filter(exposed);
  return first
    .filter(
      ({ rotating, aside, service }) => !rotating && !aside && isOpen(locks, service ?? undefined),
    )
    .map(({ key, current, refused, againAt }) => ({
      id: `rotate:${key}/${current}:${refused}`,
      ...(againAt !== null && { dueAt: againAt }),
      step: {
        kind: 'key',
        stream: streamOf('key', tenant, key),
        command: {
          kind: 'RequestRotation',
          operation: commandIdOf(['compromise', tenant, key, current, refused]),
          cause: 'compromise',
        },
      },
    }));
}

/**
 * A compromised version that new use takes is replaced at once. Of the L2: it, and then every L3 of
 * which the current version ever hung from the compromised one: who knew that and had the vault's
 * blobs could open it. A key that somebody took out of use stays so. While a lock stands nothing is
 * asked; what is refused is asked again, ever less often. What may have been exposed is recorded on
 * the key's stream. Subject: the tenant.
 */
export const compromise: Process<CompromiseState> = {
  name: 'compromise',
  version: 1,
  handles: [
    'LockTaken',
    'LockReleased',
    'RootKeyRestored',
    'KeyCreated',
    'KeyVersionWrapped',
    'KeyVersionRewrapped',
    'KeyRotationRequested',
    'KeyRotated',
    'KeyVersionPrepared',
    'KeyRotationRefused',
    'KeyVersionDeactivated',
    'KeyCompromised',
    'KeyExposureRecorded',
    'KeyRevoked',
  ],
  subjects: ownerOf,
  initial: (tenant) => ({ tenant, locks: [], keys: [], exposures: [] }),
  evolve: evolveCompromise,
  todo: (state) => [
    ...rotations(state),
    ...state.exposures.map((open): Todo => ({
      id: `expose:${open.key}:${open.exposure}`,
      step: { kind: 'recordExposures', tenant: state.tenant, ...open },
    })),
  ],
};
