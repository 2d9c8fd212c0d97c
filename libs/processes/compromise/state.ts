import type { KeyLevel } from '@kcm/domain';
import type { Locks } from '../locks.js';

/** A key that may have to be rotated because somebody else may know it. */
export interface KnownKey {
  readonly key: string;
  readonly level: KeyLevel;
  readonly service: string | null;
  readonly current: number;
  /** A rotation is under way. */
  readonly rotating: boolean;
  /** Somebody took the current version out of use before. */
  readonly aside: boolean;
  /** Since when (RFC 3339) each compromised version is, by number. */
  readonly compromised: { readonly [version: string]: string };
  /** Of an L3: every version of the L2 that each version ever hung from. */
  readonly under: { readonly [version: string]: readonly number[] };
  /** Rotations of the current version that were refused, and when it is asked for again. */
  readonly refused: number;
  readonly againAt: string | null;
}
/** What may have been exposed is still to be recorded. */
export interface OpenExposure {
  readonly key: string;
  readonly versions: readonly number[];
  readonly since: string;
  readonly until: string;
  readonly exposure: string;
}
export interface CompromiseState {
  readonly tenant: string;
  readonly locks: Locks;
  readonly keys: readonly KnownKey[];
  readonly exposures: readonly OpenExposure[];
}
