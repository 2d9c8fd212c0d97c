export * from './errors.js';
export * from './requester.js';
export * from './responder.js';
export * from './serve-stream.js';
