export * from './errors.js';
export * from './ledger.js';
