import type { KeyLevel, RotationPolicy } from '@kcm/domain';
import type { Locks } from '../locks.js';

/** A key that may be rotated, by its current version. */
export interface TurningKey {
  readonly key: string;
  readonly level: KeyLevel;
  readonly service: string | null;
  readonly version: number;
  /** When it took over, RFC 3339. */
  readonly since: string;
  /** Nobody took it out of use. */
  readonly inUse: boolean;
  /** A rotation is under way. */
  readonly rotating: boolean;
  /** What it protected (L3); the versions of L3 that were made under it (L2). */
  readonly uses: number;
  /** When they reached what the policy allows. */
  readonly usedUpAt: string | null;
  /** Rotations of this version that were refused: of all, in a row; when it is tried again. */
  readonly refused: number;
  readonly failures: number;
  readonly againAt: string | null;
  /**
   * Of an L2: versions of its root key in the order in which they were seen, the one that wraps it
   * first; more than one: there is a newer one, since `newerAt`.
   */
  readonly rootKey: string;
  readonly rootKeyVersions: readonly string[];
  readonly newerAt: string | null;
  /** The version of the root key that wraps a version which has not taken over yet, by that. */
  readonly wraps: { readonly [version: string]: string };
}
export interface RotationState {
  readonly tenant: string;
  readonly policy: RotationPolicy;
  readonly locks: Locks;
  readonly keys: readonly TurningKey[];
}
