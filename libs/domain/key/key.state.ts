import type { KeyLevel } from './key.events.js';

export interface KeyVersion {
  readonly version: number;
  readonly state: 'active' | 'deactivated' | 'destroyed';
  readonly wrappedBy: { readonly id: string; readonly version: string };
  readonly digest: string;
  readonly commitment: string;
}
export interface ExistingKey {
  readonly level: KeyLevel;
  readonly service: string | null;
  readonly parent: string;
  /** By version, first is 1. */
  readonly versions: readonly KeyVersion[];
  readonly current: number;
}
export type KeyState =
  | { readonly status: 'absent' }
  | ({ readonly status: 'active' } & ExistingKey)
  | ({ readonly status: 'rotating'; readonly operation: string } & ExistingKey)
  | ({ readonly status: 'revoked' } & ExistingKey);
