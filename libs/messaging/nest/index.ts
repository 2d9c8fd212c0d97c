export * from './messaging-server.js';
export * from './throws-as-it-is.js';
