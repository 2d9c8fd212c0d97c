export * from './core-view.js';
export * from './lease-desk.js';
