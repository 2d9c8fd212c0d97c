export { CertificateRenewal } from './certificate-renewal.js';
export { CORE_ENGINES, driversOf } from './composition.js';
export { CorePart } from './core-part.js';
