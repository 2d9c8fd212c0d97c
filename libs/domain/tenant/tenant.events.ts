import type { DomainEvent } from '../decider.js';

export type CachePolicy = {
  readonly ttlSeconds: number;
  readonly maxUses: number;
  readonly maxAgeSeconds: number;
  readonly off: boolean;
};
export type TenantPolicy = {
  /** 10–300. How long one L1 proof lasts. */
  readonly leaseSeconds: number;
  /** How long an Edge may keep an L4 (data key). */
  readonly cache: CachePolicy;
  readonly allowExport: boolean;
};

export type TenantEvent =
  | DomainEvent<'TenantRegistered', { readonly homeRegion: string; readonly policy: TenantPolicy }>
  | DomainEvent<'TenantActivated', Record<string, never>>
  | DomainEvent<'TenantBlocked', { readonly lock: string }>
  | DomainEvent<'TenantUnblocked', { readonly lock: string }>
  | DomainEvent<'TenantPolicyChanged', { readonly policy: TenantPolicy }>
  | DomainEvent<'ServiceMapped', { readonly service: string }>
  | DomainEvent<'ServiceUnmapped', { readonly service: string }>;
