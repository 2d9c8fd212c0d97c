import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/**
 * A key made here (PKCS #8 PEM) and a PKCS #10 request for it: the key never leaves this machine.
 */
export async function certificateRequest(
  commonName: string,
): Promise<{ readonly privateKey: string; readonly csr: string }> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: ALGORITHM,
  });
  const der = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  const privateKey = x509.PemConverter.encode(der, 'PRIVATE KEY');
  return { privateKey: `${privateKey}\n`, csr: request.toString('pem') };
}
