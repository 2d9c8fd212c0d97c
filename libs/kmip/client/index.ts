export { KmipUnavailable } from '../wire/index.js';
export type { BatchAnswer, BatchResults, CallOptions, Handlers } from '../wire/index.js';
export * from './kmip-client.js';
export * from './push-listener.js';
export type { KmipClientOptions } from './tls.js';
