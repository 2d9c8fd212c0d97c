import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const P256 = { name: 'ECDSA', namedCurve: 'P-256' };
const ES256 = { name: 'ECDSA', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

export interface Identity {
  readonly certificate: string;
  readonly privateKey: string;
}
export interface Wanted {
  readonly uris: readonly string[];
  /** Hours from now; negative for one that has ended. Default 1. */
  readonly endsInHours?: number;
  readonly use?: 'client' | 'server';
}

function pemOf(der: ArrayBuffer): string {
  const body = Buffer.from(der)
    .toString('base64')
    .replaceAll(/(.{64})/g, '$1\n');
  return `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
}

/** A certificate that a region's own authority would never give, made with the authority's key. */
export async function mint(ca: string, caKey: Buffer, wanted: Wanted): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const { uris, endsInHours = 1, use = 'client' } = wanted;
  const purpose = use === 'client' ? 'clientAuth' : 'serverAuth';
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex'),
      subject: 'CN=minted',
      issuer: new x509.X509Certificate(ca).subjectName,
      notBefore: new Date(Date.now() - 48 * HOUR_MS),
      notAfter: new Date(Date.now() + endsInHours * HOUR_MS),
      publicKey: keys.publicKey,
      signingKey: await webcrypto.subtle.importKey('pkcs8', caKey, P256, false, ['sign']),
      signingAlgorithm: ES256,
      extensions: [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[purpose]], true),
        new x509.SubjectAlternativeNameExtension(
          [
            { type: 'dns' as const, value: 'localhost' },
            ...uris.map((value) => ({ type: 'url' as const, value })),
          ],
          false,
        ),
      ],
    },
    webcrypto,
  );
  return {
    certificate: certificate.toString('pem'),
    privateKey: pemOf(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
  };
}
