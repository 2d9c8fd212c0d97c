import type { LockKind, Scope } from '@kcm/domain';

/** A grant that the ledger knows of and that may still be alive. */
export interface KnownGrant {
  readonly holder: string;
  readonly service: string;
  readonly endsAt: string;
}
export interface HeldLock {
  readonly lock: string;
  readonly kind: LockKind;
  readonly scope: Scope;
  readonly cause: string;
  readonly lockedBy: string;
  readonly startedAt: string;
  readonly hardBound: string;
  readonly epoch: number;
  readonly probe: {
    readonly rootKeyId: string;
    readonly callId: string;
    readonly providerRequestId: string | null;
  } | null;
  /** When the last grant of each holder in scope ends. */
  readonly holders: { readonly [holder: string]: string };
  /** RevocationLocked was recorded; of a block, TenantBlocked was. */
  readonly recorded: boolean;
  /** Who released it, until that was recorded too. */
  readonly releasedBy: string | null;
}
export interface RevocationProcessState {
  readonly tenant: string;
  /** Lease lengths that leases may still have: the current one last, `until` null. */
  readonly leaseSeconds: readonly { readonly seconds: number; readonly until: string | null }[];
  /** By holder, boot, key and version. */
  readonly grants: { readonly [id: string]: KnownGrant };
  readonly locks: readonly HeldLock[];
}
