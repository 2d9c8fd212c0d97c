import type { Code, Step } from '@kcm/kernel';
import type { Reference } from './rootkeys.events.js';

export type RootKeysCommand =
  | {
      readonly kind: 'RequestConnection';
      readonly rootKeyId: string;
      readonly keystore: string;
      readonly reference: Reference;
      readonly mode: 'hyok';
      readonly credentialsDigest: string | null;
      readonly operation: string;
    }
  | {
      readonly kind: 'ConfirmConnection';
      readonly rootKeyId: string;
      readonly resolved: string;
      readonly keyVersion: string;
      readonly callId: string;
      readonly providerRequestId: string | null;
    }
  | {
      readonly kind: 'RefuseConnection';
      readonly rootKeyId: string;
      readonly step: Step;
      readonly code: Code;
      readonly callId: string | null;
    }
  | { readonly kind: 'RequestProbe'; readonly rootKeyId: string; readonly operation: string }
  | {
      readonly kind: 'RecordProbe';
      readonly rootKeyId: string;
      readonly operation: string;
      readonly outcome: 'ok' | 'refused';
      readonly code: Code | null;
      readonly step: Step | null;
      readonly callId: string | null;
      readonly providerRequestId: string | null;
    }
  /** Core's observations; a repeated one is accepted without an event. */
  | {
      readonly kind: 'RecordDenied' | 'RecordIndeterminate';
      readonly rootKeyId: string;
      readonly code: Code;
      readonly callId: string;
      readonly providerRequestId: string | null;
    }
  | {
      readonly kind: 'RecordRestored';
      readonly rootKeyId: string;
      readonly callId: string;
      readonly providerRequestId: string | null;
    }
  | {
      readonly kind: 'RecordKeyVersion';
      readonly rootKeyId: string;
      readonly keyVersion: string;
    };
