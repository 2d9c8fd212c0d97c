import type { Code } from '@kcm/kernel';
import type { DomainEvent } from '../decider.js';

export type CachePolicy = {
  readonly ttlSeconds: number;
  readonly maxUses: number;
  readonly maxAgeSeconds: number;
  readonly off: boolean;
};
/** When versions of one level of key are replaced and retired; null: never by itself. */
export type LevelRotation = {
  /** Since a version took over. */
  readonly maxAgeSeconds: number | null;
  /** Records and data keys protected by a version (L3); keys wrapped by it (L2). */
  readonly maxUses: number | null;
  /** Since a version was deactivated: it is destroyed then, once nothing hangs from it any more. */
  readonly retireAfterSeconds: number | null;
};
export type RotationPolicy = { readonly L2: LevelRotation; readonly L3: LevelRotation };
/** A policy as it is in events: what was not known when one was written is absent. */
export type RecordedPolicy = {
  /** 10–300. How long one L1 proof lasts. */
  readonly leaseSeconds: number;
  /** How long an Edge may keep an L4 (data key). */
  readonly cache: CachePolicy;
  readonly allowExport: boolean;
  readonly rotation?: RotationPolicy;
};
export type TenantPolicy = RecordedPolicy & { readonly rotation: RotationPolicy };

export type TenantEvent =
  | DomainEvent<
      'TenantRegistered',
      { readonly homeRegion: string; readonly policy: RecordedPolicy }
    >
  | DomainEvent<'TenantActivated', Record<string, never>>
  | DomainEvent<'TenantBlocked', { readonly lock: string }>
  | DomainEvent<'TenantUnblocked', { readonly lock: string }>
  | DomainEvent<'TenantPolicyChanged', { readonly policy: RecordedPolicy }>
  | DomainEvent<'ServiceMapped', { readonly service: string }>
  | DomainEvent<
      'ServiceUnmapped',
      {
        readonly service: string;
        /** Why its key is never made; absent: somebody's command. */
        readonly code?: Code;
      }
    >;
