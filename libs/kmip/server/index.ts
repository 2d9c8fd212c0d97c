export * from './discover-versions.js';
export * from './identity.js';
export * from './kmip-server.js';
export * from './push-channel.js';
export { KmipUnavailable, targetOf } from '../wire/index.js';
export type {
  Batch,
  BatchAnswer,
  CallOptions,
  Handler,
  Handlers,
  Requester,
} from '../wire/index.js';
