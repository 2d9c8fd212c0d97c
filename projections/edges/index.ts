import type { EdgeEvent, EdgeExposure, ExposedInAll, Processing, Recorded } from '@kcm/domain';
import { never, parseStream, type Revision } from '@kcm/kernel';
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
  /** Null: as far as is known it was not taken over. */
  readonly compromised: {
    readonly since: string;
    readonly processing: Processing;
    /** When it was said. */
    readonly at: string;
    readonly operation: string;
    /** What it held, once all of that is marked. */
    readonly exposed: ExposedInAll | null;
  } | null;
  /** Of the Edge's stream: the ETag. */
  readonly revision: Revision;
}

/** Of an earlier takeover that was told of again meanwhile it says nothing. */
function exposedOf(
  { compromised }: EdgeDoc,
  { operation, ...exposed }: EdgeExposure,
): Partial<EdgeDoc> {
  return compromised?.operation === operation ? { compromised: { ...compromised, exposed } } : {};
}

/** The Edges of this ledger. Key: region/edge. */
export const edges: Projection<EdgeDoc, Recorded<EdgeEvent>> = {
  name: 'edges',
  version: 2,
  handles: ['EdgeEnrolled', 'EdgeRevoked', 'EdgeCompromised', 'EdgeExposureRecorded'],
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
    compromised: null,
    revision: -1,
  }),
  evolve(doc, event) {
    const { revision } = event;
    const at = event.meta.occurredAt;
    switch (event.type) {
      case 'EdgeEnrolled':
        return { ...doc, ...event.data, state: 'enrolled', enrolledAt: at, revision };
      case 'EdgeRevoked':
        return { ...doc, state: 'revoked', revokedAt: at, revision };
      case 'EdgeCompromised': {
        const compromised = { ...event.data, at, exposed: null };
        const revokedAt = doc.revokedAt ?? at;
        return { ...doc, state: 'revoked', revokedAt, compromised, revision };
      }
      case 'EdgeExposureRecorded':
        return { ...doc, ...exposedOf(doc, event.data), revision };
      default:
        return never(event);
    }
  },
  indexes: [{ fields: ['region'] }, { fields: ['state'] }],
};
