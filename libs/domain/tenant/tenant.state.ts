import type { TenantPolicy } from './tenant.events.js';

export interface KnownTenant {
  readonly homeRegion: string;
  readonly policy: TenantPolicy;
  readonly services: ReadonlySet<string>;
}
export type TenantState =
  | { readonly status: 'absent' }
  | ({ readonly status: 'registered' } & KnownTenant)
  | ({ readonly status: 'active' } & KnownTenant)
  /** `was`: where unblocking leads back to; `lock`: the access lock this follows. */
  | ({
      readonly status: 'blocked';
      readonly was: 'registered' | 'active';
      readonly lock: string;
    } & KnownTenant);
