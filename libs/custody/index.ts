export * from './core-view.js';
export * from './leases/lease-desk.js';
export * from './seal/open-custody.js';
export * from './pki.js';
export * from './record-act.js';
export type { CeremonyAsk, CeremonyStep, CeremonyView } from './seal/ceremonies.js';
export type { SealKeystore } from './seal/keystore-seal.js';
export type { SealParts } from './seal/opening.js';
export * from './seal/resealing.js';
export * from './seal/seal-config.js';
export * from './seal/seal-service.js';
export type { SetRequest } from './seal/shares/share-set.js';
export { closedBy, closes, protectingClosedBy, tenantClosedBy } from './leases/access-gate.js';
export { holderName } from './leases/grant-book.js';
export type { CallPurpose } from './calls/journal.js';
export { type KeyIdentity, l2KeyId, l3KeyId, tekPath, versionPath } from './keys/key-identity.js';
export { KeyService, type KeyServiceDeps } from './key-service.js';
export {
  type Called,
  type CallRefused,
  type CallSeen,
  callTarget,
} from './calls/keystore-calls.js';
export type { LeaseStanding } from './leases/lease-standing.js';
export type { ProofRefusal } from './leases/proof.js';
export type { InUse } from './usage/version-use.js';
