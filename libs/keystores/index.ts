export * from './cause-table.js';
export * from './driver-deps.js';
export * from './driver-registry.js';
export * from './egress.js';
export * from './keystore.js';
