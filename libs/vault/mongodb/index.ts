export * from './mongo-blob-store.js';
