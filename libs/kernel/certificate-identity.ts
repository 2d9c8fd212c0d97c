import { never } from './brand.js';
import { EDGE_ID, REGION_ID, SERVICE_ID, TENANT_ID } from './ids.js';

/** Whom a certificate speaks for; its SAN URI is the only authority. */
export type CertificateIdentity =
  | { readonly kind: 'workload'; readonly tenant: string; readonly service: string }
  | { readonly kind: 'edge'; readonly region: string; readonly edge: string }
  | { readonly kind: 'core'; readonly region: string };

/** `kcm://…` of its subject alternative names. */
export function certificateUri(identity: CertificateIdentity): string {
  switch (identity.kind) {
    case 'workload':
      return `kcm://tenant/${identity.tenant}/service/${identity.service}`;
    case 'edge':
      return `kcm://region/${identity.region}/edge/${identity.edge}`;
    case 'core':
      return `kcm://region/${identity.region}/core`;
    default:
      return never(identity);
  }
}

/** Null unless the text is exactly what `certificateUri` writes for valid ids. */
export function parseCertificateUri(uri: string): CertificateIdentity | null {
  const identity = parse(uri.split('/'));
  const valid = identity !== null && isCertificateIdentity(identity);
  return valid && certificateUri(identity) === uri ? identity : null;
}

/** Whether its ids are ids. */
export function isCertificateIdentity(identity: CertificateIdentity): boolean {
  switch (identity.kind) {
    case 'workload':
      return TENANT_ID.test(identity.tenant) && SERVICE_ID.test(identity.service);
    case 'edge':
      return REGION_ID.test(identity.region) && EDGE_ID.test(identity.edge);
    case 'core':
      return REGION_ID.test(identity.region);
    default:
      return never(identity);
  }
}

/** The parts of `kcm://{scope}/{owner}/{kind}[/{name}]`, split at `/`. */
function parse(parts: readonly string[]): CertificateIdentity | null {
  const [, , scope, owner = '', kind, name = ''] = parts;
  if (scope === 'tenant' && kind === 'service')
    return { kind: 'workload', tenant: owner, service: name };
  if (scope === 'region' && kind === 'edge') return { kind: 'edge', region: owner, edge: name };
  if (scope === 'region' && kind === 'core') return { kind: 'core', region: owner };
  return null;
}
