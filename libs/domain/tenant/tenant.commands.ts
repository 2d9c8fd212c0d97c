import type { TenantPolicy } from './tenant.events.js';

export type TenantCommand =
  | { readonly kind: 'RegisterTenant'; readonly homeRegion: string; readonly policy: TenantPolicy }
  | { readonly kind: 'ActivateTenant' }
  /** Follows the access stream (process `revocation`); never the first act. */
  | { readonly kind: 'RecordBlocked'; readonly lock: string }
  | { readonly kind: 'RecordUnblocked'; readonly lock: string }
  | { readonly kind: 'ChangePolicy'; readonly policy: TenantPolicy }
  | { readonly kind: 'MapService'; readonly service: string }
  | { readonly kind: 'UnmapService'; readonly service: string };
