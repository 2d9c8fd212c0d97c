export { CertificateRenewal } from './certificate-renewal.js';
export * from './core.module.js';
export * from './core-runtime.js';
export type { CoreStep, Dispatch } from './effects/index.js';
export { LocalAuthenticator, RegionAuthenticator } from './sys/authenticator.js';
export { operatorToken } from './sys/operator-token.js';
export { type RegionHooks, RegionService } from './sys/region-service.js';
