import type { Processing } from '../key/key.events.js';
import type { EdgeExposure } from './edge.events.js';

export type EdgeCommand =
  | {
      readonly kind: 'EnrolEdge';
      readonly services: readonly string[];
      readonly certificateSha256: string;
      readonly notAfter: string;
    }
  | { readonly kind: 'RevokeEdge' }
  /** `since`: RFC 3339, UTC. */
  | {
      readonly kind: 'CompromiseEdge';
      readonly since: string;
      readonly processing: Processing;
      readonly operation: string;
    }
  | ({ readonly kind: 'RecordEdgeExposure' } & EdgeExposure);
