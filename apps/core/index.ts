export { CertificateRenewal } from './certificate-renewal.js';
export { CORE_ENGINES } from './composition.js';
export { CorePart } from './core-part.js';
