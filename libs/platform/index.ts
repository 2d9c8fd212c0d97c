export * from './http/access.js';
export * from './http/answer.js';
export * from './auth/auth.guard.js';
export * from './auth/authenticator.js';
export * from './auth/operator-token.js';
export * from './config.js';
export * from './http/compromise.js';
export * from './http/correlation.js';
export * from './http/forward.js';
export * from './engines/engines.js';
export { addressOf } from './engines/address.js';
export { assertPrivateFolder } from './engines/private-folder.js';
export {
  copyErasure,
  copyHolds,
  erasureBackupsFolder,
  type ErasurePlace,
  erasurePlaces,
} from './engines/erasure.js';
export * from './engines/engines.module.js';
export * from './health/index.js';
export * from './http/http-app.js';
export * from './http/listing.js';
export { networkOf } from './http/network.js';
export * from './logger.js';
export * from './metrics/index.js';
export * from './oidc/index.js';
export * from './openapi/openapi.js';
export { KEYSTORE_REFUSALS } from './openapi/openapi-refusals.js';
export * from './platform.module.js';
export * from './auth/principal.js';
export * from './engines/private-file.js';
export * from './http/problem.js';
export * from './http/request.js';
export * from './http/routes.js';
export * from './program/index.js';
export * from './tokens.js';
export * from './http/validate.js';
export * from './version.js';
