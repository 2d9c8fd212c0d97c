import type { KeyObject, X509Certificate } from 'node:crypto';
import { parseCertificateUri, type CertificateIdentity } from '@kcm/kernel';

/** Who may be a client. */
export type PeerIdentity = Exclude<CertificateIdentity, { kind: 'core' }>;

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
 * A client by the one `kcm://` URI among the subject alternative names; null when there is none,
 * more than one, or one of another form.
 */
export function identityOf(certificate: X509Certificate): PeerIdentity | null {
  const names = certificate.subjectAltName ?? '';
  // Node quotes names with special characters, in which a separator could hide: none of ours has
  // any.
  if (names.includes('"')) return null;
  const uris = names.split(', ').filter((name) => name.startsWith('URI:kcm://'));
  if (uris.length !== 1) return null;
  const identity = parseCertificateUri(uris[0]!.slice('URI:'.length));
  return identity?.kind === 'core' ? null : identity;
}
