export * from './connection.js';
export * from './errors.js';
