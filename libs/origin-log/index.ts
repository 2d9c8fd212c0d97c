export * from './origin-log.js';
