export * from './kafka-messaging.js';
export * from './kafka-url.js';
