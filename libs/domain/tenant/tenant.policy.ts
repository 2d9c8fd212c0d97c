import { LIMITS, type FieldError } from '@kcm/kernel';
import type { CachePolicy, TenantPolicy } from './tenant.events.js';

/** What a tenant gets that names no policy of its own. */
export const defaultPolicy: TenantPolicy = {
  leaseSeconds: LIMITS.leaseSecondsDefault,
  cache: { ttlSeconds: 60, maxUses: 1_000, maxAgeSeconds: 300, off: false },
  allowExport: false,
};

type InPart<T> = { readonly [K in keyof T]?: T[K] | undefined };
/** A policy in part. */
export type PolicyChange = InPart<Omit<TenantPolicy, 'cache'>> & {
  readonly cache?: InPart<CachePolicy> | undefined;
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
  };
}

const BOUNDS = [
  ['leaseSeconds', LIMITS.leaseSecondsMin, LIMITS.leaseSecondsMax],
  ['cache.ttlSeconds', 1, LIMITS.leaseSecondsMax],
  ['cache.maxUses', 1, LIMITS.subkeyInvocationsMax],
  ['cache.maxAgeSeconds', 1, LIMITS.leaseSecondsMax],
] as const;

/** Every field out of its bounds, paths as in the policy; empty when the policy may be stored. */
export function policyErrors(policy: TenantPolicy): FieldError[] {
  const values: Record<(typeof BOUNDS)[number][0], number> = {
    leaseSeconds: policy.leaseSeconds,
    'cache.ttlSeconds': policy.cache.ttlSeconds,
    'cache.maxUses': policy.cache.maxUses,
    'cache.maxAgeSeconds': policy.cache.maxAgeSeconds,
  };
  const errors: FieldError[] = [];
  for (const [path, min, max] of BOUNDS) {
    const value = values[path];
    if (!Number.isInteger(value) || value < min || value > max)
      errors.push({ path, code: 'out_of_range', detail: `a whole number from ${min} to ${max}` });
  }
  if (policy.allowExport)
    errors.push({ path: 'allowExport', code: 'not_built', detail: 'export is not available yet' });
  return errors;
}

/** Field by field: key order of the stored JSON does not matter. */
export const samePolicy = (a: TenantPolicy, b: TenantPolicy): boolean =>
  a.leaseSeconds === b.leaseSeconds &&
  a.allowExport === b.allowExport &&
  a.cache.ttlSeconds === b.cache.ttlSeconds &&
  a.cache.maxUses === b.cache.maxUses &&
  a.cache.maxAgeSeconds === b.cache.maxAgeSeconds &&
  a.cache.off === b.cache.off;
