import type { DomainEvent } from '../decider.js';
import type { Processing } from '../key/key.events.js';

/** How much an Edge held that was taken over; which versions is on the streams of their keys. */
export type EdgeExposure = {
  readonly operation: string;
  readonly tenants: number;
  readonly keys: number;
  readonly versions: number;
};
export type ExposedInAll = Omit<EdgeExposure, 'operation'>;

export type EdgeEvent =
  /** Again for a renewed certificate or changed services. */
  | DomainEvent<
      'EdgeEnrolled',
      {
        readonly services: readonly string[];
        /** SHA-256 (hex) of the DER certificate; the only one that is served. */
        readonly certificateSha256: string;
        readonly notAfter: string;
      }
    >
  | DomainEvent<'EdgeRevoked', Record<string, never>>
  /**
   * Revoked for ever, as above. In other hands, or feared to be, since `since` (RFC 3339): every version that it held from then
   * on is compromised too. `processing`: whether what those protected may still be opened.
   */
  | DomainEvent<
      'EdgeCompromised',
      {
        readonly since: string;
        readonly processing: Processing;
        readonly operation: string;
      }
    >
  /** Every version that it held is marked, and what may have been exposed is recorded. */
  | DomainEvent<'EdgeExposureRecorded', EdgeExposure>;
