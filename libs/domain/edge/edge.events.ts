import type { DomainEvent } from '../decider.js';

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
  | DomainEvent<'EdgeRevoked', Record<string, never>>;
