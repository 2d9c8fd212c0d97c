import type { Secret } from '@kcm/crypto';
import type { Code, Json } from '@kcm/kernel';

/** How long an Edge may keep a data key of this tenant (whole seconds, uses). */
export interface CachePolicy {
  /** Unused for so long: forgotten. */
  readonly ttlSeconds: number;
  readonly maxUses: number;
  /** Since it was made, used or not. */
  readonly maxAgeSeconds: number;
  /** A data key for each operation. */
  readonly off: boolean;
}
/** `y-kcm-access` (leases.md). */
export type Access = 'open' | 'readOnly' | 'locked' | 'killed';
/** Of a version that is leased; of any other there is no lease. */
export type LeasedState = 'active' | 'deactivated' | 'compromised';

/** Proof with an end: what Core said of one L3 version, as of the moment it answered. */
export interface Proof {
  readonly ok: true;
  /** `{tenant}/{key id}/{version}`. */
  readonly uid: string;
  /** Whole seconds ≥ 1. */
  readonly seconds: number;
  readonly access: Access;
  readonly state: LeasedState;
  /** A newer version took over. */
  readonly replaced: boolean;
  /** False unless it is active and nothing replaces it, and there is no Protect Stop Date. */
  readonly mayProtect: boolean;
  /** False: what it protects may only be moved off it. */
  readonly mayProcess: boolean;
  /** Data keys may be given out to callers. */
  readonly mayExport: boolean;
  readonly term: number;
  readonly epoch: number;
  readonly grantId: string;
}
/** A lease with its key; the receiver owns and disposes `l3`. */
export interface Lease extends Proof {
  readonly key: string;
  readonly version: number;
  readonly policy: CachePolicy;
  readonly l3: Secret;
}
/** `denied`: drop at once. `indeterminate`: the old lease to its end (leases.md step 6). */
export interface Refusal {
  readonly ok: false;
  readonly effect: 'denied' | 'indeterminate';
  readonly code: Code;
  /** The current version, where that was located and is what is refused. */
  readonly uid?: string;
}
/**
 * `revoked`: access was taken away. `readOnly`: the right to protect was. To both the holder answers
 * with a signed statement. `rotated`: a newer version took over and nothing else changed.
 * `deactivated`: the version protects nothing more. `state`: it stands otherwise than before.
 */
export type Change = 'revoked' | 'readOnly' | 'rotated' | 'deactivated' | 'state' | 'other';
/** What Core pushed (leases.md steps 7, 9). It never proves anything: drop and ask again. */
export interface Notice {
  readonly tenant: string;
  /** The anchor's (L2) or the L3's unique identifier, as pushed. */
  readonly uid: string;
  /** Set when it names one L3 version; null for the whole tenant. */
  readonly l3: string | null;
  readonly change: Change;
  readonly term: number;
  readonly epoch: number;
  /** The trace that it is part of. */
  readonly traceparent?: string | undefined;
}
/** `unheard`: not recorded as far as is known, send it again. `refused`: it never will be. */
export type Delivery = 'recorded' | 'unheard' | 'refused';
/** Core as an Edge sees it. Every method resolves; what failed is a refusal, never a throw. */
export interface CorePort {
  /**
   * Steps 3a–3e: the current version of (tenant, service) with `allocation` protect operations,
   * refused as tenant_read_only, key_not_active or key_compromised where there are none; null: to
   * decrypt with, as step 3 without c.
   */
  lease(
    tenant: string,
    service: string,
    allocation: number | null,
    traceparent?: string,
  ): Promise<Lease | Refusal>;
  /** Step 4: an older version by its unique identifier; nothing to protect with. */
  leaseOld(uid: string, traceparent?: string): Promise<Lease | Refusal>;
  /** Step 5, one batch; an answer each, in order. */
  renew(uids: readonly string[]): Promise<readonly (Proof | Refusal)[]>;
  /** Signs and delivers a statement (steps 7, 10). */
  state(kind: 'ack' | 'usage', statement: Json, traceparent?: string): Promise<Delivery>;
}
