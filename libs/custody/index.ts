export * from './core-view.js';
export * from './lease-desk.js';
export * from './record-act.js';
export * from './scheduler.js';
