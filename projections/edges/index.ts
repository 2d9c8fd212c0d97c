import type { EdgeEvent, Recorded } from '@kcm/domain';
import { parseStream, type Revision } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey, ownerAndId } from '../doc-key.js';

export interface EdgeDoc {
  readonly id: string;
  readonly region: string;
  readonly state: 'enrolled' | 'revoked';
  readonly services: readonly string[];
  readonly certificateSha256: string;
  readonly notAfter: string;
  readonly enrolledAt: string;
  readonly revokedAt: string | null;
  /** Of the Edge's stream: the ETag. */
  readonly revision: Revision;
}

/** The Edges of this ledger. Key: region/edge. */
export const edges: Projection<EdgeDoc, Recorded<EdgeEvent>> = {
  name: 'edges',
  version: 1,
  handles: ['EdgeEnrolled', 'EdgeRevoked'],
  keys(event) {
    const { owner, id } = parseStream(event.stream);
    return [docKey(owner, id ?? '')];
  },
  initial: (key) => ({
    id: ownerAndId(key).id,
    region: ownerAndId(key).owner,
    state: 'enrolled',
    services: [],
    certificateSha256: '',
    notAfter: '',
    enrolledAt: '',
    revokedAt: null,
    revision: -1,
  }),
  evolve(doc, event) {
    const { revision } = event;
    const at = event.meta.occurredAt;
    return event.type === 'EdgeEnrolled'
      ? { ...doc, ...event.data, state: 'enrolled', enrolledAt: at, revision }
      : { ...doc, state: 'revoked', revokedAt: at, revision };
  },
  indexes: [{ fields: ['region'] }, { fields: ['state'] }],
};
