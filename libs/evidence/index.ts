export * from './build-receipt.js';
