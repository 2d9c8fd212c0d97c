import type { Cause, Code } from '@kcm/kernel';
import type { DomainEvent } from '../decider.js';

/** Journal of one Core boot, `calls-{region}.{boot}`: written by that process alone, no decider. */
export type CallOperation = 'resolve' | 'wrap' | 'unwrap';

export type Grant = {
  readonly grantId: string;
  /** `edge:{id}` of the holder. */
  readonly holder: string;
  readonly boot: string;
  readonly key: string;
  readonly version: number;
  readonly service: string;
  readonly seconds: number;
  /** Wall time of Core, RFC 3339; informative, the monotonic deadline decides. */
  readonly endsAt: string;
  readonly epoch: number;
  /** The L1 unwrap this grant rests on. */
  readonly callId: string;
  readonly providerRequestId: string | null;
  /** Data keys may be given out under it, which no lease's end takes back; absent: none may. */
  readonly class?: 'exported';
  /** Whether anything may be protected under it; absent: it may. */
  readonly protects?: boolean;
};
/**
 * `dataKey`, `dataKeyUnwrap`: a data key was given out to the caller, wrapped by this version.
 * `rewrapFrom`, `rewrapTo`: a record or wrapped data key was opened to be moved off this version, and
 * sealed anew by this one.
 */
export type UsageOperation =
  'encrypt' | 'decrypt' | 'dataKey' | 'dataKeyUnwrap' | 'rewrapFrom' | 'rewrapTo';
export type UsageEntry = {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
  readonly operation: UsageOperation;
  readonly ok: number;
  readonly refused: { readonly [code: string]: number };
  readonly bytes: number;
  /**
   * Of `rewrapFrom`: what was moved off the version, each by the first 8 bytes of the SHA-256 of what
   * it was before (base64url). Whoever repeats a move is told of twice, with the same id.
   */
  readonly moved?: readonly string[];
  /** How many of `moved` were told for the first time: as Core counts. */
  readonly fresh?: number;
};
/** A grant under which the holder does nothing more and has told everything. */
export type ClosedGrant = { readonly uid: string; readonly grantId: string };
export type CallsEvent =
  | DomainEvent<
      'ProcessStarted',
      { readonly boot: string; readonly kind: 'core'; readonly version: string }
    >
  | DomainEvent<
      'KeystoreCallIntended',
      {
        readonly callId: string;
        readonly rootKeyId: string;
        readonly operation: CallOperation;
        readonly purpose: 'connect' | 'probe' | 'lease' | 'create' | 'rotate' | 'idle';
      }
    >
  | DomainEvent<
      'KeystoreCallSucceeded',
      { readonly callId: string; readonly providerRequestId: string | null }
    >
  /** Refused: the keystore answered no. Failed: no answer, or one that proves nothing. */
  | DomainEvent<
      'KeystoreCallRefused' | 'KeystoreCallFailed',
      {
        readonly callId: string;
        readonly cause: Cause;
        readonly code: Code;
        readonly providerRequestId: string | null;
      }
    >
  | DomainEvent<'KeystoreCallOutcomeUnknown', { readonly callId: string }>
  | DomainEvent<'LeasesGranted' | 'LeasesRenewed', { readonly grants: readonly Grant[] }>
  | DomainEvent<
      'LeaseRefused',
      {
        readonly holder: string;
        readonly key: string | null;
        readonly service: string | null;
        readonly code: Code;
      }
    >
  | DomainEvent<
      'UsageReported',
      {
        readonly holder: string;
        readonly boot: string;
        readonly seq: number;
        readonly from: string;
        readonly to: string;
        readonly entries: readonly UsageEntry[];
        readonly closed?: readonly ClosedGrant[];
        /** The Edge stopped in order: this and those before it are all that this boot did. */
        readonly last?: true;
        /** The Edge's signed report, compact JWS. */
        readonly statement: string;
      }
    >;

/** `refused-{region}.{boot}`. */
export type RefusedEvent = DomainEvent<
  'CommandRefused',
  {
    readonly code: Code;
    /** Route, e.g. `POST /v1/tenants/{t}/activate`. */
    readonly action: string;
    readonly resource: string;
    /** How many like it this record stands for (capped per principal). */
    readonly count: number;
  }
>;
