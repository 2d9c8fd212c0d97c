export * from './codec/index.js';
export * from './profile/index.js';
