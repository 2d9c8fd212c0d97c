import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { base64Of } from '@kcm/kernel';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { Secret } from './secret.js';

export interface CertificateRequest {
  /** PKCS #10 (RFC 2986) in PEM. */
  readonly csr: string;
  /** PKCS #8 in PEM, as UTF-8 bytes. */
  readonly privateKey: Secret;
}

/**
 * A new P-256 key and the request for its certificate; the authority sets the names it believes.
 */
export async function generateCsr(commonName: string): Promise<CertificateRequest> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      name: [{ CN: [commonName] }],
      keys,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    },
    webcrypto,
  );
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const privateKey = pemSecret('PRIVATE KEY', der);
  der.fill(0);
  return { csr: `${request.toString('pem')}\n`, privateKey };
}

/** PEM (RFC 7468) in UTF-8; `der` stays the caller's to zeroize. */
export function pemSecret(label: string, der: Uint8Array): Secret {
  const body = base64Of(der).match(/.{1,64}/g) ?? [];
  const lines = [`-----BEGIN ${label}-----`, ...body, `-----END ${label}-----`, ''];
  return Secret.own(Buffer.from(lines.join('\n')));
}
