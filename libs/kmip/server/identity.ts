import type { KeyObject, X509Certificate } from 'node:crypto';
import { EDGE_ID, REGION_ID, SERVICE_ID, TENANT_ID } from '@kcm/kernel';

/** Who a client certificate says it is: its SAN URI is the only authority. */
export type PeerIdentity =
  | { readonly kind: 'workload'; readonly tenant: string; readonly service: string }
  | { readonly kind: 'edge'; readonly region: string; readonly edge: string };

export interface Peer {
  readonly identity: PeerIdentity;
  /** Hex, of the DER certificate. */
  readonly certificateSha256: string;
  /** Verifies what the peer signed with its certificate's key. */
  readonly publicKey: KeyObject;
  /** Unix milliseconds. */
  readonly notAfterMs: number;
  readonly address: string;
  /** Distinct for each connection of this server. */
  readonly connection: number;
}

/**
 * The one `kcm://` URI among the subject alternative names; null when there is none, more than one,
 * or one of another form.
 */
export function identityOf(certificate: X509Certificate): PeerIdentity | null {
  const names = certificate.subjectAltName ?? '';
  // Node quotes names with special characters, in which a separator could hide: none of ours has
  // any.
  if (names.includes('"')) return null;
  const uris = names.split(', ').filter((name) => name.startsWith('URI:kcm://'));
  return uris.length === 1 ? parseIdentity(uris[0]!.slice('URI:'.length)) : null;
}

/** `kcm://tenant/{t}/service/{s}` or `kcm://region/{r}/edge/{e}`; anything else is null. */
export function parseIdentity(uri: string): PeerIdentity | null {
  const parts = uri.split('/');
  const [scheme, empty, realm, owner, kind, name] = parts;
  if (parts.length !== 6 || scheme !== 'kcm:' || empty !== '') return null;
  if (owner === undefined || name === undefined) return null;
  if (realm === 'tenant' && kind === 'service' && TENANT_ID.test(owner) && SERVICE_ID.test(name))
    return { kind: 'workload', tenant: owner, service: name };
  if (realm === 'region' && kind === 'edge' && REGION_ID.test(owner) && EDGE_ID.test(name))
    return { kind: 'edge', region: owner, edge: name };
  return null;
}
