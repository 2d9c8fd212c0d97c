export * from './errors.js';
export * from './message-rules.js';
export * from './messaging.js';
export * from './per-topic.js';
export * from './settle.js';
