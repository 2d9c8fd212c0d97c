export * from './sqlite-blob-store.js';
