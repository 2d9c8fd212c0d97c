import { type KeyObject, X509Certificate } from 'node:crypto';
import { KcmError } from '@kcm/kernel';

/**
 * The public key of a certificate that this authority issued to this SAN URI (RFC 5280 §4.2.1.6).
 * Says nothing of dates: what it signed may be verified long after it has expired.
 * @throws KcmError integrity
 */
export function verifyIssuedBy(certificate: string, authority: string, uri: string): KeyObject {
  let leaf: X509Certificate;
  let ca: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
    ca = new X509Certificate(authority);
  } catch {
    throw new KcmError('integrity', 'A certificate cannot be read.');
  }
  if (!leaf.checkIssued(ca) || !leaf.verify(ca.publicKey))
    throw new KcmError('integrity', `The certificate of ${uri} is not of the pinned authority.`);
  if (leaf.subjectAltName !== `URI:${uri}`)
    throw new KcmError('integrity', `The certificate is not that of ${uri}.`);
  return leaf.publicKey;
}

/** Whether the text holds a certificate in PEM (the first one, where there are several). */
export function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}
