export * from './names.js';
export * from './ping.js';
export * from './statements.js';
export * from './wrapped-key.js';
