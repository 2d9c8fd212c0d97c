export { ALGORITHMS, issuerKey, issuerSettings, type OidcIssuer } from './issuer-settings.js';
export { OidcAuthenticator, type OidcDeps } from './oidc-authenticator.js';
export { IssuerUnusable, type ReadIssuer } from './read-issuer.js';
