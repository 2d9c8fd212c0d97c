import type { Code } from '@kcm/kernel';
import type { DomainEvent } from '../decider.js';

export type KeyLevel = 'L2' | 'L3';

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
  | DomainEvent<'KeyRotationRequested', { readonly from: number; readonly operation: string }>
  | DomainEvent<
      'KeyRotated',
      { readonly from: number; readonly to: number; readonly operation: string }
    >
  | DomainEvent<'KeyRotationRefused', { readonly operation: string; readonly code: Code }>
  /** Unwrap only from here on. */
  | DomainEvent<'KeyVersionDeactivated', { readonly version: number }>
  | DomainEvent<'KeyVersionDestroyed', { readonly version: number }>
  /** The end of every version, those without an event of their own included. */
  | DomainEvent<'KeyRevoked', { readonly revocation: string }>;
