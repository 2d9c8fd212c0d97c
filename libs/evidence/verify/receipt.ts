import type { Json } from '@kcm/kernel';

/**
 * What a revocation receipt says: the payload of one compact JWS (EdDSA). Format 1 names the events
 * that it rests on; format 2 shows that they are in the transparency log, and what they say there.
 */
export type Receipt = ReceiptNaming | ReceiptProving;

interface ReceiptNaming extends ReceiptBody {
  readonly format: 1;
  /** The recorded events that this rests on. */
  readonly events: readonly NamedEvent[];
}
export interface ReceiptProving extends ReceiptBody {
  readonly format: 2;
  readonly events: readonly ProvenEvent[];
  /** Of the region's log: a C2SP signed note by the region's signing key. All paths lead to it. */
  readonly checkpoint: string;
}
export interface NamedEvent {
  readonly type: string;
  readonly id: string;
  readonly stream: string;
  readonly revision: number;
  readonly at: string;
}
/** With all that its leaf is made from: the event as it was stored. */
export interface ProvenEvent extends NamedEvent {
  readonly schemaVersion: number;
  readonly data: { readonly [member: string]: Json | undefined };
  readonly meta: { readonly [member: string]: Json | undefined };
  /** Of its leaf. */
  readonly index: number;
  /** From the leaf to the checkpoint's root (RFC 9162 §2.1.3.2): SHA-256, base64. */
  readonly path: readonly string[];
}
export interface ReceiptBody {
  readonly kind: 'provider-denied' | 'locked' | 'shredded' | 'l1-destroyed';
  readonly issuedAt: string;
  readonly region: string;
  readonly tenant: string;
  /** Generation of the ledger that holds the events. */
  readonly ledger: string;
  readonly revocation: {
    readonly id: string;
    readonly kind: 'suspend' | 'kill' | 'provider-denied' | 'l1-destroyed';
    /** `all`, or the service. */
    readonly scope: string;
    readonly cause: string;
    readonly lockedBy: string;
    readonly startedAt: string;
    /** No lease of ours can live after this time. */
    readonly hardBound: string;
    /** Of the tenant's access after the lock. */
    readonly epoch: number;
    /** Whose epochs these are; absent: a receipt of before it was said. */
    readonly term?: number | undefined;
  };
  /** Who held a lease, and what each said. */
  readonly holders: readonly ReceiptHolder[];
  /** The customer's keystore refused us, live; null where the kind has no such probe. */
  readonly probe: {
    readonly rootKeyId: string;
    readonly keystore: string;
    readonly code: string;
    readonly callId: string;
    readonly providerRequestId: string | null;
    /** Where the customer finds our call id in its own log. */
    readonly logField: string;
  } | null;
  readonly shred: {
    readonly requestedBy: string;
    readonly confirmedAt: string;
    readonly erasureKeys: number;
    readonly blobs: number;
    /** What is true on this set-up. */
    readonly word: string;
  } | null;
  /** Plaintext keys given out of our hands; no bound speaks of them. */
  readonly exported: { readonly keys: number };
  readonly fourEyes: string | null;
  /** What about this set-up is trial-grade. */
  readonly trialGrade: readonly string[];
  readonly doesNotClaim: readonly string[];
}
export interface ReceiptHolder {
  readonly id: string;
  readonly boot: string;
  /** The end of its last grant: a silent holder has refused from then on. */
  readonly lastGrantEnds: string | null;
  readonly refusedAt: string | null;
  readonly erasedAt: string | null;
  /** The holder's own signed statement, compact JWS (ES256); null: silent. */
  readonly statement: string | null;
  /** PEM of the certificate whose key signed the statement. */
  readonly certificate: string | null;
}

/** What a verifier pins at onboarding: the body of GET …/trust. */
export interface Trust {
  readonly format: 1;
  readonly region: string;
  readonly tenant: string;
  readonly signing: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };
  /** PEM of the region's certificate authority: the holders' certificates lead to it. */
  readonly ca: string;
}
