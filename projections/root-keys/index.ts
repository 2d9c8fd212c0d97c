import type { Recorded, Reference, RootKeysEvent } from '@kcm/domain';
import { never, parseStream, type Code, type Revision, type Step } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey, ownerAndId } from '../doc-key.js';

interface CallRef {
  readonly at: string;
  readonly callId: string | null;
  readonly providerRequestId: string | null;
}
export interface RootKeyDoc {
  readonly tenant: string;
  readonly id: string;
  readonly keystore: string;
  readonly reference: Reference;
  readonly mode: 'hyok';
  readonly primary: boolean;
  readonly state: 'requested' | 'refused' | 'enabled' | 'denied' | 'indeterminate';
  /** Why it is not enabled, and at which step a connection was refused. */
  readonly code: Code | null;
  readonly step: Step | null;
  /** The immutable id that the keystore gave, once connected. */
  readonly resolved: string | null;
  readonly keyVersion: string | null;
  /** The last unwrap that the keystore allowed. */
  readonly lastProof: CallRef | null;
  /** The last refusal of the connection, of a probe or in use. */
  readonly lastRefusal: (CallRef & { readonly code: Code; readonly step: Step | null }) | null;
  readonly requestedAt: string;
  readonly operation: string;
  /** Of the tenant's rootkeys stream. */
  readonly revision: Revision;
}
type RootKeyRecorded = Recorded<RootKeysEvent>;

function refusal(
  event: RootKeyRecorded,
  said: {
    code: Code;
    step?: Step | null;
    callId: string | null;
    providerRequestId?: string | null;
  },
): RootKeyDoc['lastRefusal'] {
  const { code, step = null, callId, providerRequestId = null } = said;
  return { at: event.meta.occurredAt, code, step, callId, providerRequestId };
}

function evolve(before: RootKeyDoc, event: RootKeyRecorded): RootKeyDoc {
  const doc = { ...before, revision: event.revision };
  const at = event.meta.occurredAt;
  const fine = { code: null, step: null };
  switch (event.type) {
    case 'RootKeyConnectionRequested': {
      const { keystore, reference, mode, operation } = event.data;
      const cleared = { lastRefusal: null, requestedAt: at, ...fine } as const;
      return { ...doc, state: 'requested', ...cleared, keystore, reference, mode, operation };
    }
    case 'RootKeyConnected': {
      const { resolved, keyVersion, primary, callId, providerRequestId } = event.data;
      const lastProof = { at, callId, providerRequestId };
      return { ...doc, ...fine, state: 'enabled', resolved, keyVersion, primary, lastProof };
    }
    case 'RootKeyConnectionRefused': {
      const { code, step } = event.data;
      return { ...doc, state: 'refused', code, step, lastRefusal: refusal(event, event.data) };
    }
    case 'RootKeyProbeRequested':
      return doc;
    case 'RootKeyProbed': {
      const { outcome, code, callId, providerRequestId } = event.data;
      if (outcome === 'ok') return { ...doc, lastProof: { at, callId, providerRequestId } };
      return { ...doc, lastRefusal: refusal(event, { ...event.data, code: code ?? 'internal' }) };
    }
    case 'RootKeyDenied':
    case 'RootKeyIndeterminate': {
      const state = event.type === 'RootKeyDenied' ? 'denied' : 'indeterminate';
      return { ...doc, state, code: event.data.code, lastRefusal: refusal(event, event.data) };
    }
    case 'RootKeyRestored': {
      const { callId, providerRequestId } = event.data;
      return { ...doc, ...fine, state: 'enabled', lastProof: { at, callId, providerRequestId } };
    }
    case 'RootKeyVersionObserved':
      return { ...doc, keyVersion: event.data.keyVersion };
    default:
      return never(event);
  }
}

/** The customer's keys as the keystores last spoke of them. Key: tenant/rootKeyId. */
export const rootKeys: Projection<RootKeyDoc, RootKeyRecorded> = {
  name: 'root-keys',
  version: 1,
  handles: [
    'RootKeyConnectionRequested',
    'RootKeyConnected',
    'RootKeyConnectionRefused',
    'RootKeyProbeRequested',
    'RootKeyProbed',
    'RootKeyDenied',
    'RootKeyIndeterminate',
    'RootKeyRestored',
    'RootKeyVersionObserved',
  ],
  keys: (event) => [docKey(parseStream(event.stream).owner, event.data.rootKeyId)],
  initial: (key) => ({
    tenant: ownerAndId(key).owner,
    id: ownerAndId(key).id,
    keystore: '',
    reference: {},
    mode: 'hyok',
    primary: false,
    state: 'requested',
    code: null,
    step: null,
    resolved: null,
    keyVersion: null,
    lastProof: null,
    lastRefusal: null,
    requestedAt: '',
    operation: '',
    revision: -1,
  }),
  evolve,
  indexes: [{ fields: ['tenant'] }],
};
