export * from './barrier.js';
export * from './barriered-store.js';
export * from './core-view.js';
export * from './certificate-identity.js';
export * from './lease-desk.js';
export * from './open-custody.js';
export * from './pki.js';
export * from './record-act.js';
export * from './seal-config.js';
export * from './seal-service.js';
export { closedBy, tenantClosedBy } from './access-gate.js';
export { GrantBook, holderName } from './grant-book.js';
export { Hierarchy } from './hierarchy.js';
export { CallJournal, type CallPurpose } from './journal.js';
export {
  credentialsPath,
  type KeyIdentity,
  l2KeyId,
  l3KeyId,
  parseUid,
  tekPath,
  uidOf,
} from './key-identity.js';
export { KeyService, type KeyServiceDeps } from './key-service.js';
export {
  type Called,
  type CallRefused,
  type CallTarget,
  KeystoreCalls,
  providerOf,
} from './keystore-calls.js';
export type { ClosedListener, LeaseAuthority } from './lease-authority.js';
export type { ProofRefusal } from './proof.js';
export type { RootKeyPool } from './root-key-pool.js';
