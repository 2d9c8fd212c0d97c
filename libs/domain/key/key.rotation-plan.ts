import { fractionOf, LIMITS, rfc3339 } from '@kcm/kernel';
import type { LevelRotation } from '../tenant/tenant.events.js';

/** One version of a key, and when it took over (RFC 3339). */
export interface PlannedVersion {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
  readonly since: string;
}

/**
 * Where a version stands in every spread, in [0, 1): the same whoever asks and whenever. Keys that
 * were made in one minute stand apart.
 */
const placeOf = ({ tenant, key, version }: Omit<PlannedVersion, 'since'>): number =>
  fractionOf(['rotation', tenant, key, version]);

/** The last tenth of the age, an hour at the least where that is not over half of it. */
const spreadOf = (age: number): number =>
  Math.min(
    Math.max(age / 10, Math.min(age / 2, LIMITS.rotationSpreadSecondsMin)),
    LIMITS.rotationSpreadSecondsMax,
  );

/**
 * When a version is to be replaced because of its age, RFC 3339: before the policy's age by what a
 * rotation takes, and by its place in the spread. Null: never by age.
 */
export function rotationByAgeAt(
  planned: PlannedVersion,
  { maxAgeSeconds: age }: LevelRotation,
): string | null {
  if (age === null) return null;
  const lead = Math.min(age / 10, LIMITS.rotationLeadSecondsMax);
  const seconds = age - lead - placeOf(planned) * spreadOf(age);
  return rfc3339(Date.parse(planned.since) + Math.floor(seconds * 1000));
}

/**
 * After how many uses a version is to be replaced: 85 to 95 in a hundred of the policy's number,
 * since uses are told after they were. Null: never by uses.
 */
export function rotationByUsesAt(
  version: Omit<PlannedVersion, 'since'>,
  { maxUses }: LevelRotation,
): number | null {
  return maxUses === null ? null : Math.floor(maxUses * (0.95 - 0.1 * placeOf(version)));
}

/**
 * When a rotation by policy is asked for again that was refused at `at` for the nth time in a row
 * (n counts from 1), RFC 3339.
 */
export function rotationAgainAt(
  version: Omit<PlannedVersion, 'since'>,
  at: string,
  failures: number,
): string {
  const { rotationRetrySecondsMin: min, rotationRetrySecondsMax: max } = LIMITS;
  const ceiling = Math.min(max, min * 2 ** Math.min(failures - 1, 30));
  const seconds = ceiling * (0.5 + placeOf(version) / 2);
  return rfc3339(Date.parse(at) + Math.floor(seconds * 1000));
}
