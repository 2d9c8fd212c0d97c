import { createPrivateKey, X509Certificate } from 'node:crypto';
import { KcmError } from '@kcm/kernel';
import { identityOf } from '@kcm/kmip/server';

const AUTHORITY = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Who the certificate says this Edge is: its SAN URI is the only authority.
 * @throws KcmError invalid_request when it is no Edge's, expired, or the key is another's
 */
export function edgeIdentity(
  certificatePem: string,
  privateKeyPem: string,
  wallMs: number,
): { readonly edge: string; readonly region: string } {
  const { certificate, key } = parsed(certificatePem, privateKeyPem);
  const identity = identityOf(certificate);
  if (identity?.kind !== 'edge')
    throw wrong('KCM_TLS_CERT', 'its name is not kcm://region/{region}/edge/{edge}');
  if (Date.parse(certificate.validTo) <= wallMs)
    throw wrong('KCM_TLS_CERT', `expired on ${certificate.validTo}`);
  if (!certificate.checkPrivateKey(key))
    throw wrong('KCM_TLS_KEY', 'does not belong to the certificate');
  return { edge: identity.edge, region: identity.region };
}

/** @throws KcmError invalid_request unless one of these authorities (PEM) has signed it */
export function assertIssued(certificatePem: string, caPem: string): void {
  const certificate = new X509Certificate(certificatePem);
  const issued = (caPem.match(AUTHORITY) ?? []).some((pem) => {
    try {
      return certificate.verify(new X509Certificate(pem).publicKey);
    } catch {
      return false;
    }
  });
  if (!issued) throw wrong('KCM_TLS_CERT', 'is not of the authority in KCM_TLS_CA');
}

/** When a certificate (PEM) that can be read ends. */
export const endOf = (certificatePem: string): string =>
  new X509Certificate(certificatePem).validTo;

function parsed(certificatePem: string, privateKeyPem: string) {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certificatePem);
  } catch {
    throw wrong('KCM_TLS_CERT', 'cannot be read');
  }
  try {
    return { certificate, key: createPrivateKey(privateKeyPem) };
  } catch {
    throw wrong('KCM_TLS_KEY', 'cannot be read; it must not be encrypted');
  }
}

const wrong = (path: string, detail: string): KcmError =>
  new KcmError('invalid_request', `${path}: ${detail}`, {
    errors: [{ path, code: 'invalid', detail }],
  });
