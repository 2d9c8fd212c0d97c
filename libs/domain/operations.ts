import { uuidv5 } from '@kcm/kernel';

/**
 * Ids of operations that no event names: both ends of the work compute the same one. Where an event
 * carries an `operation` (connect, probe, rotate) that is the id.
 */
export const operationIdOf = {
  /** ServiceMapped → the service's L3 created. */
  mapService: (tenant: string, service: string): string =>
    uuidv5(`operation/map/${tenant}/${service}`),
  /** LockTaken → RevocationLocked. */
  lock: (tenant: string, lock: string): string => uuidv5(`operation/lock/${tenant}/${lock}`),
  /** LockReleased → RevocationReleased. */
  release: (tenant: string, lock: string): string => uuidv5(`operation/release/${tenant}/${lock}`),
  /** RevocationShredRequested → RevocationShredded. */
  shred: (tenant: string, revocation: string): string =>
    uuidv5(`operation/shred/${tenant}/${revocation}`),
  /** KeyDestructionRequested → KeyVersionDestroyed, by policy; `attempt` counts from 0. */
  retire: (tenant: string, key: string, version: number, attempt: number): string =>
    uuidv5(`operation/retire/${tenant}/${key}/${version}/${attempt}`),
} as const;
