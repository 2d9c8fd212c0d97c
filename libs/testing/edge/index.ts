export * from './fake-core.js';
export * from './sim-clock.js';
