import { LIMITS, type FieldError } from '@kcm/kernel';
import type {
  CachePolicy,
  LevelRotation,
  RecordedPolicy,
  RotationPolicy,
  TenantPolicy,
} from './tenant.events.js';

const DAY_SECONDS = 86_400;

/** What a tenant gets that names no policy of its own. */
export const defaultPolicy: TenantPolicy = {
  leaseSeconds: LIMITS.leaseSecondsDefault,
  cache: { ttlSeconds: 60, maxUses: 1_000, maxAgeSeconds: 300, off: false },
  allowExport: false,
  rotation: {
    L2: { maxAgeSeconds: 365 * DAY_SECONDS, maxUses: null, retireAfterSeconds: null },
    L3: { maxAgeSeconds: 90 * DAY_SECONDS, maxUses: null, retireAfterSeconds: 90 * DAY_SECONDS },
  },
};

const neverRetiring = (level: LevelRotation): LevelRotation => ({
  ...level,
  retireAfterSeconds: null,
});
/**
 * A policy as it was recorded. Of a tenant whose policy says nothing of rotation keys are replaced
 * as of whoever names nothing, and none is destroyed: nobody has said that one may be.
 */
export const policyOf = (recorded: RecordedPolicy): TenantPolicy => {
  const { L2, L3 } = defaultPolicy.rotation;
  const rotation = recorded.rotation ?? { L2: neverRetiring(L2), L3: neverRetiring(L3) };
  return { ...recorded, rotation };
};

type InPart<T> = { readonly [K in keyof T]?: T[K] | undefined };
/** A policy in part. */
export type PolicyChange = InPart<Omit<TenantPolicy, 'cache' | 'rotation'>> & {
  readonly cache?: InPart<CachePolicy> | undefined;
  readonly rotation?:
    { readonly [L in keyof RotationPolicy]?: InPart<LevelRotation> | undefined } | undefined;
};

/** What the change leaves out stays as it is. */
export function changedPolicy(policy: TenantPolicy, change: PolicyChange): TenantPolicy {
  const { cache } = policy;
  return {
    leaseSeconds: change.leaseSeconds ?? policy.leaseSeconds,
    cache: {
      ttlSeconds: change.cache?.ttlSeconds ?? cache.ttlSeconds,
      maxUses: change.cache?.maxUses ?? cache.maxUses,
      maxAgeSeconds: change.cache?.maxAgeSeconds ?? cache.maxAgeSeconds,
      off: change.cache?.off ?? cache.off,
    },
    allowExport: change.allowExport ?? policy.allowExport,
    rotation: {
      L2: changedLevel(policy.rotation.L2, change.rotation?.L2),
      L3: changedLevel(policy.rotation.L3, change.rotation?.L3),
    },
  };
}

/** Null is a value here: never by itself. */
function changedLevel(level: LevelRotation, change: InPart<LevelRotation> = {}): LevelRotation {
  const { maxAgeSeconds, maxUses, retireAfterSeconds } = change;
  return {
    maxAgeSeconds: maxAgeSeconds === undefined ? level.maxAgeSeconds : maxAgeSeconds,
    maxUses: maxUses === undefined ? level.maxUses : maxUses,
    retireAfterSeconds:
      retireAfterSeconds === undefined ? level.retireAfterSeconds : retireAfterSeconds,
  };
}

const BOUNDS = [
  ['leaseSeconds', LIMITS.leaseSecondsMin, LIMITS.leaseSecondsMax],
  ['cache.ttlSeconds', 1, LIMITS.leaseSecondsMax],
  ['cache.maxUses', 1, LIMITS.subkeyInvocationsMax],
  ['cache.maxAgeSeconds', 1, LIMITS.leaseSecondsMax],
] as const;

const ROTATION_BOUNDS = [
  ['maxAgeSeconds', LIMITS.rotationAgeSecondsMin, LIMITS.rotationAgeSecondsMax],
  ['maxUses', LIMITS.rotationUsesMin, LIMITS.rotationUsesMax],
  ['retireAfterSeconds', LIMITS.rotationAgeSecondsMin, LIMITS.rotationAgeSecondsMax],
] as const;
const LEVELS = ['L2', 'L3'] as const;

/** Every field out of its bounds, paths as in the policy; empty when the policy may be stored. */
export function policyErrors(policy: TenantPolicy): FieldError[] {
  const values: Record<(typeof BOUNDS)[number][0], number> = {
    leaseSeconds: policy.leaseSeconds,
    'cache.ttlSeconds': policy.cache.ttlSeconds,
    'cache.maxUses': policy.cache.maxUses,
    'cache.maxAgeSeconds': policy.cache.maxAgeSeconds,
  };
  const errors: FieldError[] = [];
  const bounded = (path: string, value: number | null, min: number, max: number) => {
    if (value === null || (Number.isInteger(value) && value >= min && value <= max)) return;
    errors.push({ path, code: 'out_of_range', detail: `a whole number from ${min} to ${max}` });
  };
  for (const [path, min, max] of BOUNDS) bounded(path, values[path], min, max);
  for (const level of LEVELS)
    for (const [field, min, max] of ROTATION_BOUNDS)
      bounded(`rotation.${level}.${field}`, policy.rotation[level][field], min, max);
  return errors;
}

const sameLevel = (a: LevelRotation, b: LevelRotation): boolean =>
  ROTATION_BOUNDS.every(([field]) => a[field] === b[field]);

/** Field by field: key order of the stored JSON does not matter. */
export const samePolicy = (a: TenantPolicy, b: TenantPolicy): boolean =>
  a.leaseSeconds === b.leaseSeconds &&
  a.allowExport === b.allowExport &&
  a.cache.ttlSeconds === b.cache.ttlSeconds &&
  a.cache.maxUses === b.cache.maxUses &&
  a.cache.maxAgeSeconds === b.cache.maxAgeSeconds &&
  a.cache.off === b.cache.off &&
  LEVELS.every((level) => sameLevel(a.rotation[level], b.rotation[level]));
