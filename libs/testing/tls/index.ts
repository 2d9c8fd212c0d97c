export * from './test-authority.js';
