import type { KeyLevel, RotationPolicy } from '@kcm/domain';
import type { Locks } from '../locks.js';

export interface RetiringVersion {
  readonly version: number;
  /** When it was deactivated, RFC 3339; null: it was not. */
  readonly deactivatedAt: string | null;
  /** Of an L3: records and data keys under it, as its holders told. */
  readonly inUse: number;
  /** Of an L3: the version of the L2 that wraps it. */
  readonly under: number;
  readonly asked: { readonly operation: string; readonly acceptUnreported: boolean } | null;
  /** How often its retirement was refused, and when at last, RFC 3339. */
  readonly refusals: number;
  readonly refusedAt: string | null;
  /** Destroyed; its material is to be erased. */
  readonly destroyed: boolean;
}
export interface RetiringKey {
  readonly key: string;
  readonly level: KeyLevel;
  /** Erased ones are left out. */
  readonly versions: readonly RetiringVersion[];
}
export interface RetiringState {
  readonly tenant: string;
  readonly rotation: RotationPolicy;
  readonly locks: Locks;
  readonly keys: readonly RetiringKey[];
}
