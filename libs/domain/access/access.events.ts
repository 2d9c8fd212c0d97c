import type { DomainEvent } from '../decider.js';

/** `readOnly` leaves decrypting; each of the others ends all use. */
export type LockKind = 'providerDenied' | 'suspended' | 'readOnly' | 'blocked' | 'killed';
export type LockOwner = 'keystore' | 'tenant' | 'platform';
export type Scope = { readonly all: true } | { readonly service: string };

export type AccessEvent =
  | DomainEvent<
      'LockTaken',
      {
        /** Id of the lock; also the id of the revocation it opens (none for `blocked`). */
        readonly lock: string;
        readonly kind: LockKind;
        readonly scope: Scope;
        readonly owner: LockOwner;
        /** Why, as a code: the keystore's answer or the admin's reason code. */
        readonly cause: string;
        /** Rises on any change of access; this is the value after the change. */
        readonly epoch: number;
        /** Opaque subject that locked; it may not release it. Absent: Core itself. */
        readonly lockedBy?: string;
        /** Present for providerDenied: the refused keystore call that proved it. */
        readonly rootKeyId?: string;
        readonly callId?: string;
        readonly providerRequestId?: string;
      }
    >
  | DomainEvent<
      'LockReleased',
      { readonly lock: string; readonly kind: LockKind; readonly epoch: number }
    >
  | DomainEvent<
      'TermRaised',
      {
        /** One more than before; no fence of an earlier term counts any longer. */
        readonly term: number;
        /** Id of the ledger that goes on from here, a copy of the one before. */
        readonly ledger: string;
      }
    >;
