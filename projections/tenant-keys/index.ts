import {
  isDestroyed,
  type KeyEvent,
  type KeyLevel,
  type Processing,
  type Recorded,
  type Rewrapping,
  type VersionState,
} from '@kcm/domain';
import { type Code, never, parseStream, type Revision } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey, ownerAndId } from '../doc-key.js';

export interface KeyVersionDoc {
  readonly version: number;
  readonly state: VersionState;
  readonly createdAt: string;
  /** Root key and its version for an L2; L2 key id and version for an L3. */
  readonly wrappedBy: { readonly id: string; readonly version: string };
  readonly archived: boolean;
  /** When it took over, RFC 3339; null before that. */
  readonly activatedAt: string | null;
  readonly deactivatedAt: string | null;
  /** Null unless it is compromised. */
  readonly compromised: { readonly since: string; readonly processing: Processing } | null;
  readonly destruction: 'requested' | 'refused' | null;
  /** Its material is gone from the stores. */
  readonly erasedAt: string | null;
}
export interface KeyDoc {
  readonly tenant: string;
  readonly id: string;
  readonly level: KeyLevel;
  readonly service: string | null;
  readonly parent: string;
  readonly state: 'active' | 'rotating' | 'revoked';
  /** The version that new use takes. */
  readonly current: number;
  readonly versions: readonly KeyVersionDoc[];
  /** The last rotation of the current version that was refused; `failures` in a row. */
  readonly refused: { readonly code: Code; readonly at: string; readonly failures: number } | null;
  /** Of an L2: how what hangs from its earlier versions is wrapped anew. */
  readonly rewrapping: Rewrapping | null;
  /** Of the key's stream: the ETag. */
  readonly revision: Revision;
}
type KeyRecorded = Recorded<KeyEvent>;
type Of<T extends KeyEvent['type']> = Extract<KeyRecorded, { type: T }>;

function changed(
  doc: KeyDoc,
  only: number | readonly number[] | null,
  change: (version: KeyVersionDoc) => Partial<KeyVersionDoc>,
): KeyDoc {
  const concerns = (version: number) =>
    only === null || (typeof only === 'number' ? only === version : only.includes(version));
  const versions = doc.versions.map((each) =>
    concerns(each.version) ? { ...each, ...change(each) } : each,
  );
  return { ...doc, versions };
}

function wrapped(doc: KeyDoc, { data, meta }: Of<'KeyVersionWrapped'>): KeyDoc {
  const { version, wrappedBy, preActive } = data;
  const added: KeyVersionDoc = {
    version,
    state: preActive ? 'pre-active' : 'active',
    createdAt: meta.occurredAt,
    wrappedBy,
    archived: false,
    activatedAt: preActive ? null : meta.occurredAt,
    deactivatedAt: null,
    compromised: null,
    destruction: null,
    erasedAt: null,
  };
  return { ...doc, versions: [...doc.versions, added] };
}

const destroyed = ({ state, compromised }: KeyVersionDoc): Partial<KeyVersionDoc> => ({
  state: compromised === null && state !== 'compromised' ? 'destroyed' : 'destroyed-compromised',
  archived: false,
  destruction: null,
});

function evolve(before: KeyDoc, event: KeyRecorded): KeyDoc {
  const doc = { ...before, revision: event.revision };
  const at = event.meta.occurredAt;
  switch (event.type) {
    case 'KeyCreated':
      return { ...doc, ...event.data };
    case 'KeyVersionWrapped':
      return wrapped(doc, event);
    case 'KeyVersionRewrapped': {
      const { version, wrappedBy } = event.data;
      return changed(doc, version, () => ({ wrappedBy }));
    }
    case 'KeyRotationRequested':
      return { ...doc, state: 'rotating' };
    case 'KeyRotated':
      return { ...doc, state: 'active', current: event.data.to, refused: null };
    case 'KeyVersionPrepared':
      return { ...doc, state: 'active' };
    case 'KeyRotationRefused': {
      const refused = { code: event.data.code, at, failures: (doc.refused?.failures ?? 0) + 1 };
      return { ...doc, state: 'active', refused };
    }
    case 'KeyVersionActivated':
      return changed(doc, event.data.version, () => ({ state: 'active', activatedAt: at }));
    case 'KeyVersionDeactivated':
      return changed(doc, event.data.version, () => ({ state: 'deactivated', deactivatedAt: at }));
    case 'KeyCompromised': {
      const { versions, since, processing } = event.data;
      return changed(doc, versions, (each) => ({
        state: isDestroyed(each) ? 'destroyed-compromised' : 'compromised',
        compromised: { since, processing },
      }));
    }
    case 'KeyExposureRecorded':
      return doc;
    case 'KeyVersionArchived':
      return changed(doc, event.data.version, () => ({ archived: true }));
    case 'KeyVersionRecovered':
      return changed(doc, event.data.version, () => ({ archived: false }));
    case 'KeyDestructionRequested':
      return changed(doc, event.data.version, () => ({ destruction: 'requested' }));
    case 'KeyDestructionRefused':
      return changed(doc, event.data.version, () => ({ destruction: 'refused' }));
    case 'KeyVersionDestroyed':
      return changed(doc, event.data.version, destroyed);
    case 'KeyVersionErased':
      return changed(doc, event.data.version, () => ({ erasedAt: at }));
    case 'KeyRewrappingChanged':
      return { ...doc, rewrapping: event.data };
    case 'KeyRevoked':
      return { ...changed(doc, null, destroyed), state: 'revoked' };
    default:
      return never(event);
  }
}

/** What an admin sees of L2 and L3; never material. Key: tenant/keyId. */
export const tenantKeys: Projection<KeyDoc, KeyRecorded> = {
  name: 'tenant-keys',
  version: 2,
  handles: [
    'KeyCreated',
    'KeyVersionWrapped',
    'KeyVersionRewrapped',
    'KeyRotationRequested',
    'KeyRotated',
    'KeyVersionPrepared',
    'KeyVersionActivated',
    'KeyRotationRefused',
    'KeyVersionDeactivated',
    'KeyCompromised',
    'KeyExposureRecorded',
    'KeyVersionArchived',
    'KeyVersionRecovered',
    'KeyDestructionRequested',
    'KeyDestructionRefused',
    'KeyVersionDestroyed',
    'KeyVersionErased',
    'KeyRewrappingChanged',
    'KeyRevoked',
  ],
  keys(event) {
    const { owner, id } = parseStream(event.stream);
    return [docKey(owner, id ?? '')];
  },
  initial: (key) => ({
    tenant: ownerAndId(key).owner,
    id: ownerAndId(key).id,
    level: 'L3',
    service: null,
    parent: '',
    state: 'active',
    current: 1,
    versions: [],
    refused: null,
    rewrapping: null,
    revision: -1,
  }),
  evolve,
  indexes: [
    { fields: ['tenant'] },
    { fields: ['tenant', 'level'] },
    { fields: ['tenant', 'service'] },
  ],
};
