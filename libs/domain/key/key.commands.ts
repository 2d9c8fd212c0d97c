import type { Code } from '@kcm/kernel';
import type {
  DestructionCause,
  Exposure,
  KeyLevel,
  Processing,
  Rewrapping,
  RotationCause,
} from './key.events.js';

export interface WrappedVersion {
  readonly wrappedBy: { readonly id: string; readonly version: string };
  readonly digest: string;
  readonly commitment: string;
}
export type KeyCommand =
  /** KeyCreated + KeyVersionWrapped{version 1} in one append. */
  | ({
      readonly kind: 'CreateKey';
      readonly level: KeyLevel;
      readonly service: string | null;
      readonly parent: string;
    } & WrappedVersion)
  /**
   * KeyRotationRequested; where a version is ready, it takes over at once. `prepare`: only makes
   * one ready.
   */
  | {
      readonly kind: 'RequestRotation';
      readonly operation: string;
      readonly cause?: RotationCause;
      readonly prepare?: true;
    }
  /**
   * KeyVersionWrapped + KeyRotated + KeyVersionDeactivated{from} in one append; where it was to be
   * prepared, KeyVersionWrapped + KeyVersionPrepared.
   */
  | ({
      readonly kind: 'CompleteRotation';
      readonly from: number;
      readonly operation: string;
    } & WrappedVersion)
  /** KeyVersionActivated + KeyRotated + KeyVersionDeactivated of what was current. */
  | { readonly kind: 'ActivateVersion'; readonly version: number; readonly operation: string }
  /** `version` null: the one that new use takes. */
  | { readonly kind: 'DeactivateVersion'; readonly version: number | null }
  /** `versions` null: all that there are. What hangs from an L2 opens until it is wrapped anew. */
  | {
      readonly kind: 'CompromiseVersions';
      readonly versions: readonly number[] | null;
      readonly since: string;
      readonly processing: Processing;
      /** An Edge that was taken over: what was said of a version before is only made stricter. */
      readonly by?: string;
    }
  | ({ readonly kind: 'RecordExposure' } & Exposure)
  | { readonly kind: 'ArchiveVersion' | 'RecoverVersion'; readonly version: number }
  | {
      readonly kind: 'RequestDestruction';
      readonly version: number;
      readonly operation: string;
      readonly cause: DestructionCause;
      readonly acceptUnreported?: true;
    }
  | { readonly kind: 'CompleteDestruction'; readonly version: number; readonly operation: string }
  | {
      readonly kind: 'RefuseDestruction';
      readonly version: number;
      readonly operation: string;
      readonly code: Code;
      readonly inUse?: number;
      readonly unreported?: number;
    }
  | { readonly kind: 'RecordErased'; readonly version: number; readonly blobs: number }
  /** What is left out stays as it is. */
  | ({ readonly kind: 'ChangeRewrapping' } & {
      readonly [F in keyof Rewrapping]?: Rewrapping[F] | undefined;
    })
  /**
   * KeyVersionRewrapped, or nothing for a version that hangs from this parent version or a later one
   * already, or is destroyed.
   */
  | ({ readonly kind: 'RecordRewrap'; readonly version: number } & Omit<
      WrappedVersion,
      'commitment'
    >)
  | { readonly kind: 'RefuseRotation'; readonly operation: string; readonly code: Code }
  /** KeyVersionDestroyed for each version (the newest that one append holds) + KeyRevoked. */
  | { readonly kind: 'RecordShredded'; readonly revocation: string };
