import type { KeyLevel, Processing, Rewrapping, RotationCause } from './key.events.js';
import type { VersionState } from './key.states.js';

export interface VersionDates {
  readonly activated?: string;
  readonly deactivated?: string;
  readonly compromised?: string;
}
export interface KeyVersion {
  readonly version: number;
  readonly state: VersionState;
  readonly wrappedBy: { readonly id: string; readonly version: string };
  readonly digest: string;
  readonly commitment: string;
  readonly archived?: true;
  /** Of a compromised version. */
  readonly processing?: Processing;
  /** Since when it is compromised, RFC 3339. */
  readonly compromisedSince?: string;
  /** When it came into its states, RFC 3339, as far as the events that say so have a time. */
  readonly at?: VersionDates;
  /** The operation that asked for its destruction and is under way. */
  readonly destruction?: string;
  /** Destroyed, and its material is gone from the stores. */
  readonly erased?: true;
}
export interface ExistingKey {
  readonly level: KeyLevel;
  readonly service: string | null;
  readonly parent: string;
  /** By version, first is 1. */
  readonly versions: readonly KeyVersion[];
  /** What new use takes; a version that is ready but not activated is higher. */
  readonly current: number;
  /** Of an L2; absent: running, as fast as it goes. */
  readonly rewrapping?: Rewrapping;
}
export type KeyState =
  | { readonly status: 'absent' }
  | ({ readonly status: 'active' } & ExistingKey)
  | ({
      readonly status: 'rotating';
      readonly operation: string;
      /** Absent: somebody's command. */
      readonly cause?: RotationCause;
      readonly prepare?: true;
    } & ExistingKey)
  | ({ readonly status: 'revoked' } & ExistingKey);

export const versionOf = (
  { versions }: Pick<ExistingKey, 'versions'>,
  version: number,
): KeyVersion | null => versions.find((each) => each.version === version) ?? null;

/** The number that the next version gets, whatever became of those before. */
export const nextVersion = ({ versions }: Pick<ExistingKey, 'versions'>): number =>
  versions.length + 1;

/** The version that is ready for the next rotation. */
export const preparedVersion = ({ versions }: Pick<ExistingKey, 'versions'>): KeyVersion | null =>
  versions.find(({ state, destruction }) => state === 'pre-active' && destruction === undefined) ??
  null;
