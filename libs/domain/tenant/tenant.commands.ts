import type { Code } from '@kcm/kernel';
import type { TenantPolicy } from './tenant.events.js';
import type { PolicyChange } from './tenant.policy.js';

export type TenantCommand =
  | { readonly kind: 'RegisterTenant'; readonly homeRegion: string; readonly policy: TenantPolicy }
  | { readonly kind: 'ActivateTenant' }
  /** Follows the access stream (process `revocation`); never the first act. */
  | { readonly kind: 'RecordBlocked'; readonly lock: string }
  | { readonly kind: 'RecordUnblocked'; readonly lock: string }
  /** What is left out keeps the value that it has when the command is decided. */
  | { readonly kind: 'ChangePolicy'; readonly policy: PolicyChange }
  | { readonly kind: 'MapService'; readonly service: string }
  /** `code`: why nobody's wish. */
  | { readonly kind: 'UnmapService'; readonly service: string; readonly code?: Code };
