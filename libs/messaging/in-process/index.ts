export * from './in-process-messaging.js';
