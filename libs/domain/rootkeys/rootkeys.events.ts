import type { Code, Json, Step } from '@kcm/kernel';
import type { DomainEvent } from '../decider.js';

/** Public, non-secret part of a root key's reference, by keystore (interfaces: `reference`). */
export type Reference = { readonly [field: string]: Json | undefined };

export type RootKeysEvent =
  | DomainEvent<
      'RootKeyConnectionRequested',
      {
        readonly rootKeyId: string;
        readonly keystore: string;
        readonly reference: Reference;
        readonly mode: 'hyok';
        /** SHA-256 (hex) of the sealed credentials in the vault, or null without credentials. */
        readonly credentialsDigest: string | null;
        readonly operation: string;
      }
    >
  | DomainEvent<
      'RootKeyConnected',
      {
        readonly rootKeyId: string;
        /** Immutable id that the keystore gave for the reference; pinned. */
        readonly resolved: string;
        readonly keyVersion: string;
        readonly primary: boolean;
        readonly operation: string;
        readonly callId: string;
        readonly providerRequestId: string | null;
      }
    >
  | DomainEvent<
      'RootKeyConnectionRefused',
      {
        readonly rootKeyId: string;
        readonly step: Step;
        readonly code: Code;
        readonly operation: string;
        readonly callId: string | null;
      }
    >
  | DomainEvent<'RootKeyProbeRequested', { readonly rootKeyId: string; readonly operation: string }>
  | DomainEvent<
      'RootKeyProbed',
      {
        readonly rootKeyId: string;
        readonly operation: string;
        readonly outcome: 'ok' | 'refused';
        readonly code: Code | null;
        readonly step: Step | null;
        readonly callId: string | null;
        readonly providerRequestId: string | null;
      }
    >
  | DomainEvent<
      'RootKeyDenied' | 'RootKeyIndeterminate',
      {
        readonly rootKeyId: string;
        readonly code: Code;
        readonly callId: string;
        readonly providerRequestId: string | null;
      }
    >
  | DomainEvent<
      'RootKeyRestored',
      {
        readonly rootKeyId: string;
        readonly callId: string;
        readonly providerRequestId: string | null;
      }
    >
  | DomainEvent<
      'RootKeyVersionObserved',
      { readonly rootKeyId: string; readonly keyVersion: string }
    >;
