/** What a revocation receipt says, `format: 1`: the payload of one compact JWS (EdDSA). */
export interface Receipt {
  readonly format: 1;
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
  /** The recorded events that this rests on. */
  readonly events: readonly {
    readonly type: string;
    readonly id: string;
    readonly stream: string;
    readonly revision: number;
    readonly at: string;
  }[];
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
