import type { TenantPolicy } from './tenant.events.js';

interface Known {
  readonly homeRegion: string;
  readonly policy: TenantPolicy;
  readonly services: ReadonlySet<string>;
}
export type TenantState =
  | { readonly status: 'absent' }
  | ({ readonly status: 'registered' } & Known)
  | ({ readonly status: 'active' } & Known)
  /** `was`: where unblocking leads back to. */
  | ({ readonly status: 'blocked'; readonly was: 'registered' | 'active' } & Known);
