import type { Processing } from '../key/key.events.js';

export interface EdgeTakeover {
  /** RFC 3339. */
  readonly since: string;
  readonly processing: Processing;
}
export type EdgeState =
  | { readonly status: 'absent' }
  | {
      readonly status: 'enrolled';
      readonly services: readonly string[];
      readonly certificateSha256: string;
      readonly notAfter: string;
    }
  | {
      readonly status: 'revoked';
      /** It was taken over; absent: as far as is known it was not. */
      readonly compromised?: EdgeTakeover;
    };
