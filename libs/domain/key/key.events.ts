import type { Code } from '@kcm/kernel';
import type { DomainEvent } from '../decider.js';

export type KeyLevel = 'L2' | 'L3';
/** Whether what a compromised version protected may be opened. */
export type Processing = 'allowed' | 'refused';
/** `root-key`: the customer's keystore has a newer version of the root key. */
export type RotationCause = 'age' | 'uses' | 'root-key' | 'compromise';
/** `retired`: drained and old enough by the tenant's policy. */
export type DestructionCause = 'command' | 'retired';
export type Exposure = {
  /**
   * Who had the versions: `edge:{id}` that was taken over, or `key:{id}` (this one, or the L2 that
   * they hung from), whose compromise was said.
   */
  readonly by: string;
  /** Id of what began it: of the compromise of the Edge, or of the event of the key's. */
  readonly exposure: string;
  readonly versions: readonly ExposedVersion[];
};
export type ExposedVersion = {
  readonly version: number;
  /** RFC 3339. */
  readonly from: string;
  readonly to: string;
  /** In that time, by that Edge or (of a key) by every holder; null of an L2. */
  readonly uses: ExposedUses | null;
};
export type ExposedUses = {
  /** Records and data keys. */
  readonly protected: number;
  readonly opened: number;
  /** Data keys given out in the clear. */
  readonly exported: number;
  /** Records and data keys under the version in all, whoever made them and when: it opens them. */
  readonly protectedInAll: number;
};
export type Rewrapping = {
  readonly paused: boolean;
  /** Versions of L3 wrapped anew in a second, at most; null: as fast as it goes. */
  readonly perSecondMax: number | null;
};
/** Of an L2 of which nobody has said anything. */
export const UNPACED: Rewrapping = { paused: false, perSecondMax: null };

export type KeyEvent =
  | DomainEvent<
      'KeyCreated',
      { readonly level: KeyLevel; readonly service: string | null; readonly parent: string }
    >
  | DomainEvent<
      'KeyVersionWrapped',
      {
        readonly version: number;
        /** Root key id and its version for an L2; L2 key id and version for an L3. */
        readonly wrappedBy: { readonly id: string; readonly version: string };
        /** SHA-256 (hex) of the innermost wrapped bytes; also finds the blob in the vault. */
        readonly digest: string;
        /** HMAC-SHA256 key commitment, truncated to 16 bytes, hex; survives re-wraps. */
        readonly commitment: string;
        /** Not in use before it is activated; absent: active at once. */
        readonly preActive?: true;
      }
    >
  /**
   * The same key under another version of its parent; its commitment stays what it was. `digest` is
   * that of the new wrapped bytes.
   */
  | DomainEvent<
      'KeyVersionRewrapped',
      {
        readonly version: number;
        readonly wrappedBy: { readonly id: string; readonly version: string };
        readonly digest: string;
      }
    >
  | DomainEvent<
      'KeyRotationRequested',
      {
        readonly from: number;
        readonly operation: string;
        /** Absent: somebody's command. */
        readonly cause?: RotationCause;
        /** The next version is only made ready (pre-active). */
        readonly prepare?: true;
      }
    >
  /** The end of a rotation that only makes the next version ready. */
  | DomainEvent<'KeyVersionPrepared', { readonly version: number; readonly operation: string }>
  | DomainEvent<'KeyVersionActivated', { readonly version: number }>
  | DomainEvent<
      'KeyRotated',
      { readonly from: number; readonly to: number; readonly operation: string }
    >
  | DomainEvent<'KeyRotationRefused', { readonly operation: string; readonly code: Code }>
  /** Unwrap only from here on. */
  | DomainEvent<'KeyVersionDeactivated', { readonly version: number }>
  /**
   * Known or feared to others since `since` (RFC 3339). `processing`: whether what was protected
   * before may be opened; a later event of the same version wins.
   */
  | DomainEvent<
      'KeyCompromised',
      {
        readonly versions: readonly number[];
        readonly since: string;
        readonly processing: Processing;
        /** `edge:{id}` that held them and was taken over; absent: somebody said it of the key. */
        readonly by?: string;
      }
    >
  /** What may have been exposed, as far as its holders had told by then. */
  | DomainEvent<'KeyExposureRecorded', Exposure>
  | DomainEvent<'KeyVersionArchived', { readonly version: number }>
  | DomainEvent<'KeyVersionRecovered', { readonly version: number }>
  | DomainEvent<
      'KeyDestructionRequested',
      {
        readonly version: number;
        readonly operation: string;
        readonly cause: DestructionCause;
        /** Also where Edges may hold back what they protected with it. */
        readonly acceptUnreported?: true;
      }
    >
  | DomainEvent<
      'KeyDestructionRefused',
      {
        readonly version: number;
        readonly operation: string;
        readonly code: Code;
        /** What still hangs from the version, as far as is known. */
        readonly inUse?: number;
        /** Boots of Edges that may have protected more with it than they told. */
        readonly unreported?: number;
      }
    >
  /** Nothing opens by it from here on; `KeyVersionErased` follows when its material is gone. */
  | DomainEvent<'KeyVersionDestroyed', { readonly version: number; readonly operation?: string }>
  | DomainEvent<'KeyVersionErased', { readonly version: number; readonly blobs: number }>
  /** Of an L2: how what hangs from its earlier versions is wrapped anew. */
  | DomainEvent<'KeyRewrappingChanged', Rewrapping>
  /** The end of every version, those without an event of their own included. */
  | DomainEvent<'KeyRevoked', { readonly revocation: string }>;
