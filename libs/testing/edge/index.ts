export * from './fake-core.js';
export * from './kmip-peer.js';
export * from './socket-client.js';
export * from './sim-clock.js';
