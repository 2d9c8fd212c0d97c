export * from './all.js';
export * from './process.js';
export * from './calls/index.js';
export * from './onboarding/index.js';
export * from './receipts/index.js';
export * from './revocation/index.js';
export * from './rewrapping/index.js';
export * from './shredding/index.js';
