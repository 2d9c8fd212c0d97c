export * from './kafka-messaging.js';
