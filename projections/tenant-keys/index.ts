import type { KeyEvent, KeyLevel, Recorded } from '@kcm/domain';
import { never, parseStream, type Revision } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey, ownerAndId } from '../doc-key.js';

export interface KeyVersionDoc {
  readonly version: number;
  readonly state: 'active' | 'deactivated' | 'destroyed';
  readonly createdAt: string;
  /** Root key and its version for an L2; L2 key id and version for an L3. */
  readonly wrappedBy: { readonly id: string; readonly version: string };
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
  /** Of the key's stream: the ETag. */
  readonly revision: Revision;
}
type KeyRecorded = Recorded<KeyEvent>;

const marked = (versions: readonly KeyVersionDoc[], state: KeyVersionDoc['state'], only?: number) =>
  versions.map((each) => (only === undefined || each.version === only ? { ...each, state } : each));

function evolve(before: KeyDoc, event: KeyRecorded): KeyDoc {
  const doc = { ...before, revision: event.revision };
  switch (event.type) {
    case 'KeyCreated':
      return { ...doc, ...event.data };
    case 'KeyVersionWrapped': {
      const { version, wrappedBy } = event.data;
      const createdAt = event.meta.occurredAt;
      const added = { version, state: 'active', createdAt, wrappedBy } as const;
      return { ...doc, versions: [...doc.versions, added] };
    }
    case 'KeyVersionRewrapped': {
      const { version, wrappedBy } = event.data;
      const versions = doc.versions.map((each) =>
        each.version === version ? { ...each, wrappedBy } : each,
      );
      return { ...doc, versions };
    }
    case 'KeyRotationRequested':
      return { ...doc, state: 'rotating' };
    case 'KeyRotated':
      return { ...doc, state: 'active', current: event.data.to };
    case 'KeyRotationRefused':
      return { ...doc, state: 'active' };
    case 'KeyVersionDeactivated':
      return { ...doc, versions: marked(doc.versions, 'deactivated', event.data.version) };
    case 'KeyVersionDestroyed':
      return { ...doc, versions: marked(doc.versions, 'destroyed', event.data.version) };
    case 'KeyRevoked':
      return { ...doc, state: 'revoked', versions: marked(doc.versions, 'destroyed') };
    default:
      return never(event);
  }
}

/** What an admin sees of L2 and L3; never material. Key: tenant/keyId. */
export const tenantKeys: Projection<KeyDoc, KeyRecorded> = {
  name: 'tenant-keys',
  version: 1,
  handles: [
    'KeyCreated',
    'KeyVersionWrapped',
    'KeyVersionRewrapped',
    'KeyRotationRequested',
    'KeyRotated',
    'KeyRotationRefused',
    'KeyVersionDeactivated',
    'KeyVersionDestroyed',
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
    revision: -1,
  }),
  evolve,
  indexes: [
    { fields: ['tenant'] },
    { fields: ['tenant', 'level'] },
    { fields: ['tenant', 'service'] },
  ],
};
