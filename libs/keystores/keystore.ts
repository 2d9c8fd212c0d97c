import type { Cause, Code, Json, Step } from '@kcm/kernel';

/**
 * Stable identity bound as AAD or encryption context where the keystore has one; no per-call id.
 */
export interface Binding {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
}
export interface CallContext {
  /** UUID; travels in the channel that the customer's log shows. */
  readonly callId: string;
  /** W3C Trace Context, for a keystore that takes part in it. */
  readonly traceparent?: string | undefined;
  readonly signal?: AbortSignal;
}
/**
 * What a keystore said. Never thrown: a driver maps every failure; what it does not know is
 * indeterminate.
 */
export type Answer<T> =
  | { readonly ok: true; readonly value: T; readonly providerRequestId: string | null }
  | {
      readonly ok: false;
      readonly cause: Cause;
      readonly code: Code;
      /** Which part of a connection this is about. */
      readonly step: Step;
      readonly providerRequestId: string | null;
      /** A sentence for the admin; our words, never the provider's text. */
      readonly detail: string;
    };

export interface ResolvedKey {
  /** Immutable id of the key at its keystore (two references to one key resolve alike). */
  readonly resolved: string;
  readonly keyVersion: string;
}
export interface WrappedSeed {
  readonly bytes: Buffer;
  readonly keyVersion: string;
}

/**
 * One customer root key, by reference and credentials. Holds nothing open that close() does not
 * end.
 */
export interface RootKey {
  /** Existence, algorithm, state; proves nothing about use. */
  resolve(call: CallContext): Promise<Answer<ResolvedKey>>;
  /** `seed` 32 bytes; the caller zeroizes it. */
  wrap(seed: Uint8Array, binding: Binding, call: CallContext): Promise<Answer<WrappedSeed>>;
  /** A fresh buffer, as `ownMemory` makes it; the caller zeroizes it. */
  unwrap(wrapped: Uint8Array, binding: Binding, call: CallContext): Promise<Answer<Buffer>>;
  close(): Promise<void>;
}

export interface FieldSpec {
  readonly name: string;
  readonly required: boolean;
  readonly secret: boolean;
  readonly description: string;
}
export interface TrustPolicy {
  /** Who the customer lets in, as their keystore names it. */
  readonly identity: string;
  /** Ready to paste into the customer's keystore. */
  readonly policy: string;
  readonly steps: readonly string[];
  /** The field of the customer's log in which our call id stands. */
  readonly logField: string;
}
export interface KeystoreDriver {
  readonly name: string;
  readonly trialOnly: boolean;
  readonly fields: readonly FieldSpec[];
  readonly abilities: { readonly aad: boolean; readonly requestIds: boolean };
  /** All wrong fields at once; `reference` and `credentials` as the admin sent them. Pure. */
  check(
    reference: Json,
    credentials: Json | null,
  ): readonly { readonly path: string; readonly code: string; readonly detail: string }[];
  trustPolicy(
    reference: { readonly [field: string]: Json | undefined },
    tenant: string,
    region: string,
  ): TrustPolicy;
  /**
   * `pinned`: the `resolved` id that was recorded when the key was connected. With it a key that
   * was deleted and made again under its old name is told from the one that was connected.
   * @throws KcmError keystore_address_refused (egress guard) · invalid_request
   */
  open(
    reference: { readonly [field: string]: Json | undefined },
    credentials: { readonly [field: string]: Json | undefined },
    pinned?: string,
  ): Promise<RootKey>;
}
