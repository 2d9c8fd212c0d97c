import type { Secret } from '@kcm/crypto';
import type { VersionDates, VersionState } from '@kcm/domain';
import type { Code } from '@kcm/kernel';

/** Who asks: an enrolled Edge, one boot of it. */
export interface Holder {
  readonly edge: string;
  readonly boot: string;
}
export interface LeaseRefusal {
  readonly ok: false;
  /** `denied`: drop at once. `indeterminate`: the old lease to its end. */
  readonly effect: 'denied' | 'indeterminate';
  readonly code: Code;
}
export interface L3Lease {
  readonly ok: true;
  /** `{tenant}/{key id}/{version}`: the KMIP unique identifier. */
  readonly uid: string;
  readonly tenant: string;
  readonly service: string;
  readonly key: string;
  readonly version: number;
  /** Of the version: what may be done with it is what `KEY_MATRIX` says of it. */
  readonly state: VersionState;
  /** Since when it is compromised, RFC 3339; null unless it is. */
  readonly compromisedSince: string | null;
  /** When it came into its states. */
  readonly at: VersionDates;
  /** readOnly: a lock leaves decrypting alone; there is no allocation. */
  readonly access: 'open' | 'readOnly';
  /** False for a compromised version: what it protects may only be moved off it. */
  readonly mayProcess: boolean;
  /** The tenant allows it, and the grant is recorded as one under which it is done. */
  readonly mayExport: boolean;
  /** Whole seconds ≥ 1 of remaining proof at the time of the answer. */
  readonly seconds: number;
  readonly term: number;
  readonly epoch: number;
  readonly grantId: string;
  /** The L1 unwrap this rests on. */
  readonly callId: string;
  readonly providerRequestId: string | null;
  readonly replaces: string | null;
  readonly replacedBy: string | null;
}
/** The tenant's cache policy as the Edge must keep it. */
export interface LeasedPolicy {
  readonly ttlSeconds: number;
  readonly maxUses: number;
  readonly maxAgeSeconds: number;
  readonly off: boolean;
}
/**
 * What the KMIP front of Core asks; every grant is recorded in the ledger before it is answered.
 */
export interface LeaseDesk {
  /** The current version of (tenant, service), whatever its state, if this Edge may use it. */
  locate(holder: Holder, tenant: string, service: string): Promise<L3Ref | LeaseRefusal>;
  /**
   * Grants or renews; proves L1 if the proof is too old. `allocation`: protect operations asked
   * for; refused as tenant_read_only, key_not_active or key_compromised where nothing may be
   * protected, and there null has a lease that decrypts, or that moves what is protected.
   */
  lease(
    holder: Holder,
    uid: string,
    kind: 'grant' | 'renew',
    allocation: number | null,
    traceparent?: string,
  ): Promise<L3Lease | LeaseRefusal>;
  /**
   * The key under a live lease of this holder; borrowed: the caller neither keeps nor disposes it.
   */
  material(holder: Holder, uid: string): Secret | LeaseRefusal;
  policy(tenant: string): LeasedPolicy;
  /** Who holds an unexpired grant on a tenant (or one service of it), with the last end. */
  holders(
    tenant: string,
    service: string | null,
  ): readonly { readonly edge: string; readonly boot: string; readonly endsAt: string }[];
  /** The tenants of which this boot of an Edge holds an unexpired grant. */
  tenantsOf(holder: Holder): readonly string[];
}
export interface L3Ref {
  readonly ok: true;
  readonly uid: string;
  readonly state: VersionState;
  readonly archived: boolean;
}
