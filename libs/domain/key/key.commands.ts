import type { Code } from '@kcm/kernel';
import type { KeyLevel } from './key.events.js';

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
  | { readonly kind: 'RequestRotation'; readonly operation: string }
  /** KeyVersionWrapped{to} + KeyRotated + KeyVersionDeactivated{from} in one append. */
  | ({
      readonly kind: 'CompleteRotation';
      readonly from: number;
      readonly operation: string;
    } & WrappedVersion)
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
