export * from './replicated-blob-store.js';
