export * from './test-desk.js';
