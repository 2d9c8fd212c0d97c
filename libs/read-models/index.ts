export * from './errors.js';
export * from './read-models.js';
