import type { LockKind, LockOwner, Scope } from './access.events.js';

export type AccessCommand =
  | {
      readonly kind: 'TakeLock';
      readonly lock: string;
      readonly lockKind: LockKind;
      readonly scope: Scope;
      readonly owner: LockOwner;
      readonly cause: string;
      /** Opaque subject; absent when Core acts by itself. */
      readonly lockedBy?: string;
      readonly rootKeyId?: string;
      readonly callId?: string;
      readonly providerRequestId?: string;
    }
  /** Only the owner's verb releases a lock; a killed one answers approval_required. */
  | {
      readonly kind: 'ReleaseLock';
      readonly lock: string;
      readonly owner: LockOwner;
      /** Opaque subject; refused when it is the one that locked. */
      readonly releasedBy?: string;
    }
  /** Releases the platform's own lock, whichever it is: there is one at a time. */
  | { readonly kind: 'Unblock' }
  /** The tenant's history goes on in another ledger; never refused, a killed tenant stays so. */
  | { readonly kind: 'RaiseTerm'; readonly ledger: string };
