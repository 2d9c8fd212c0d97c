import { LIMITS, SERVICE_ID, TENANT_ID } from '@kcm/kernel';
import { z } from 'zod';

export const tenantId = z.string().regex(TENANT_ID, 'must match [A-Za-z0-9][A-Za-z0-9_-]{0,63}');
export const serviceId = z.string().regex(SERVICE_ID, 'must match [a-z0-9][a-z0-9-]{0,31}');
export const time = z.iso.datetime({ offset: true, message: 'must be an RFC 3339 time' });

const seconds = (min: number, max: number) => z.number().int().min(min).max(max);
const never = (min: number, max: number) => z.number().int().min(min).max(max).nullable();
const age = never(LIMITS.rotationAgeSecondsMin, LIMITS.rotationAgeSecondsMax);
const levelRotation = z.strictObject({
  maxAgeSeconds: age,
  maxUses: never(LIMITS.rotationUsesMin, LIMITS.rotationUsesMax),
  retireAfterSeconds: age,
});
export const policy = z.strictObject({
  leaseSeconds: seconds(LIMITS.leaseSecondsMin, LIMITS.leaseSecondsMax),
  cache: z.strictObject({
    ttlSeconds: seconds(1, LIMITS.leaseSecondsMax),
    maxUses: z.number().int().min(1).max(LIMITS.subkeyInvocationsMax),
    maxAgeSeconds: seconds(1, LIMITS.leaseSecondsMax),
    off: z.boolean(),
  }),
  allowExport: z.boolean(),
  rotation: z.strictObject({ L2: levelRotation, L3: levelRotation }),
});
/** What may be left out keeps its default (register) or its value (change). */
export const policyInput = z.strictObject({
  leaseSeconds: policy.shape.leaseSeconds.optional(),
  cache: policy.shape.cache.partial().optional(),
  allowExport: policy.shape.allowExport.optional(),
  rotation: z
    .strictObject({ L2: levelRotation.partial(), L3: levelRotation.partial() })
    .partial()
    .optional(),
});
export type PolicyInput = z.infer<typeof policyInput>;

export const scope = z.union([
  z.strictObject({ all: z.literal(true) }),
  z.strictObject({ service: serviceId }),
]);
export const empty = z.strictObject({});
