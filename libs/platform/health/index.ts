export * from './door.js';
export * from './folds.js';
export * from './health.js';
export * from './read-age.js';
