export * from './errors.js';
export * from './folder-lock.js';
export type { SqlValue, Statement, Written } from './protocol.js';
export * from './store.js';
export type { OnLost } from './writer.js';
