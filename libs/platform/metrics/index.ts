export * from './folds.js';
export * from './http.js';
export * from './ledger.js';
export * from './metrics.js';
export * from './process.js';
