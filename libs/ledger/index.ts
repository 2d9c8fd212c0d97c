export * from './append-rules.js';
export * from './errors.js';
export * from './ledger.js';
export * from './ledger-around.js';
export * from './stream-writer.js';
export * from './traced-ledger.js';
export * from './watched-ledger.js';
