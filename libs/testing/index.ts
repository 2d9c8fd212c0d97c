export * from './given.js';
export * from './acme-story.js';
export * from './story.js';
export * from './memory-blobs.js';
export * from './ledger-contract.js';
export * from './faulty-server.js';
export * from './keystore-conformance.js';
export * from './blob-store-contract.js';
