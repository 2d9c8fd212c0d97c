export * from './mongo-read-models.js';
