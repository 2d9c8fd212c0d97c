export * from './door.js';
export * from './endpoints.js';
export * from './ground.js';
export * from './program.js';
export * from './start.js';
