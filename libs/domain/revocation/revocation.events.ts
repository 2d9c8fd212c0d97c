import type { DomainEvent } from '../decider.js';
import type { Scope } from '../access/access.events.js';

export type RevocationKind = 'suspend' | 'read-only' | 'kill' | 'provider-denied' | 'l1-destroyed';
/** What is true of a shred on this set-up (architecture §1, TEK). */
export type ShredWord =
  'irreversible' | `irreversible after ${string}` | 'recoverable from a disk image';
export type ReceiptKind = 'provider-denied' | 'locked' | 'shredded' | 'l1-destroyed';

export type RevocationEvent =
  | DomainEvent<
      'RevocationLocked',
      {
        readonly kind: RevocationKind;
        readonly scope: Scope;
        readonly cause: string;
        /** Opaque subject that locked; it may neither release nor shred. */
        readonly lockedBy: string;
        readonly startedAt: string;
        /** No lease of before can live after this time. RFC 3339. */
        readonly hardBound: string;
        readonly epoch: number;
        /** Who held a lease when the lock was taken, and when the last grant of each ends. */
        readonly holders: readonly { readonly id: string; readonly lastGrantEnds: string }[];
        /** The refused probe, for provider-denied and l1-destroyed. */
        readonly probe: {
          readonly rootKeyId: string;
          readonly callId: string;
          readonly providerRequestId: string | null;
        } | null;
      }
    >
  | DomainEvent<
      'RevocationAcknowledged',
      {
        readonly holder: string;
        readonly boot: string;
        /** Of a read-only: since when it protects nothing. */
        readonly refusedAt: string;
        /** null: dropped but not confirmed by a collection; of a read-only, kept to decrypt. */
        readonly erasedAt: string | null;
        /** The holder's signed statement, compact JWS (leases.md step 7). */
        readonly statement: string;
        /** SHA-256 (hex) of the certificate that verifies it: a holder's next one does not. */
        readonly certificateSha256?: string;
      }
    >
  | DomainEvent<'RevocationReleased', { readonly releasedBy: string }>
  | DomainEvent<'RevocationShredRequested', { readonly requestedBy: string }>
  | DomainEvent<
      'MaterialShredded',
      {
        readonly erasureKeys: number;
        readonly blobs: number;
        readonly confirmedAt: string;
        readonly word: ShredWord;
      }
    >
  | DomainEvent<'RevocationShredded', Record<string, never>>
  | DomainEvent<
      'ReceiptIssued',
      {
        readonly receipt: string;
        readonly kind: ReceiptKind;
        /** SHA-256 (hex) of the compact JWS in the vault. */
        readonly digest: string;
      }
    >;
