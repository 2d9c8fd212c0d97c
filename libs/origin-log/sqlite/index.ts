export * from './sqlite-log-store.js';
