import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { pemSecret, sha256Hex, type Secret } from '@kcm/crypto';
import {
  KcmError,
  LIMITS,
  never,
  rfc3339,
  type Clock,
  type Random,
  certificateUri,
  isCertificateIdentity,
  type CertificateIdentity,
} from '@kcm/kernel';
import * as x509 from '@peculiar/x509';

export interface IssuedCertificate {
  readonly san: string;
  /** PEM of the certificate and of the authority that signed it. */
  readonly certificate: string;
  readonly ca: string;
  /** SHA-256 (hex) of the certificate's DER. */
  readonly sha256: string;
  /** RFC 3339 UTC. */
  readonly notAfter: string;
}
/** With the key that was made for it: PKCS #8 in PEM, as UTF-8 bytes; the caller disposes it. */
export interface IssuedWithKey extends IssuedCertificate {
  readonly privateKey: Secret;
}
export interface NewAuthority {
  readonly certificate: string;
  /** PKCS #8 DER, to be zeroized by the caller. */
  readonly privateKey: Buffer;
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' };
const ES256 = { name: 'ECDSA', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
/** A peer whose clock was set back by an hour must be able to connect again. */
const BACKDATE_MS = 2 * 60 * 60_000;
const CA_YEARS = 10;

/** A region's authority: P-256, self-signed (RFC 5280), ten years. */
export async function createAuthority(
  region: string,
  random: Random,
  clock: Clock,
): Promise<NewAuthority> {
  const keys = await generate();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(random),
      name: [{ O: ['OpenKCM'] }, { CN: [`OpenKCM region ${region}`] }],
      notBefore: new Date(clock.wallMs() - BACKDATE_MS),
      notAfter: new Date(clock.wallMs() + CA_YEARS * 365 * DAY_MS),
      keys,
      signingAlgorithm: ES256,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { certificate: pem(certificate), privateKey: await exportKey(keys.privateKey) };
}

/** Issues for this region; usable as long as its key has not been disposed of. */
export class CertificateAuthority {
  readonly #certificate: x509.X509Certificate;

  constructor(
    /** PEM. */
    readonly certificate: string,
    /** PKCS #8 DER; owned by whoever unsealed it. */
    private readonly key: Secret,
    private readonly random: Random,
    private readonly clock: Clock,
  ) {
    this.#certificate = new x509.X509Certificate(certificate);
  }

  /**
   * A client certificate for the key of a PKCS #10 request in PEM. Only its key and proof of
   * possession are taken: subject and SAN are the identity's, whatever the request asks.
   * @throws KcmError invalid_request: csr, days, identity; sealed
   */
  async issueFromCsr(
    identity: CertificateIdentity,
    csr: string,
    days: number,
  ): Promise<IssuedCertificate> {
    const publicKey = await publicKeyOfRequest(csr);
    return this.#issue(identity, publicKey, days, 'client', []);
  }

  /** Key and client certificate for a workload. @throws KcmError invalid_request; sealed */
  issueWorkload(tenant: string, service: string, days: number): Promise<IssuedWithKey> {
    return this.#withKey({ kind: 'workload', tenant, service }, days, 'client', []);
  }

  /** Key and certificate of Core's KMIP listener. `hosts`: DNS names and addresses. */
  issueServer(
    region: string,
    days: number,
    hosts: readonly string[] = ['localhost', '127.0.0.1'],
  ): Promise<IssuedWithKey> {
    const names = hosts.map((value): x509.JsonGeneralName => ({
      type: isIP(value) === 0 ? 'dns' : 'ip',
      value,
    }));
    return this.#withKey({ kind: 'core', region }, days, 'server', names);
  }

  async #withKey(
    identity: CertificateIdentity,
    days: number,
    use: 'client' | 'server',
    names: readonly x509.JsonGeneralName[],
  ): Promise<IssuedWithKey> {
    const keys = await generate();
    const issued = await this.#issue(identity, keys.publicKey, days, use, names);
    const der = await exportKey(keys.privateKey);
    const privateKey = pemSecret('PRIVATE KEY', der);
    der.fill(0);
    return { ...issued, privateKey };
  }

  async #issue(
    identity: CertificateIdentity,
    publicKey: x509.PublicKeyType,
    days: number,
    use: 'client' | 'server',
    names: readonly x509.JsonGeneralName[],
  ): Promise<IssuedCertificate> {
    if (!isCertificateIdentity(identity))
      throw invalid('identity', 'The certificate’s name is not valid.');
    if (!Number.isInteger(days) || days < 1 || days > LIMITS.certificateDaysMax)
      throw invalid('days', `A certificate lasts 1 to ${LIMITS.certificateDaysMax} days.`);
    const san = certificateUri(identity);
    const now = this.clock.wallMs();
    const end = Math.min(now + days * DAY_MS, this.#certificate.notAfter.getTime());
    const eku =
      use === 'client' ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: serial(this.random),
        subject: [{ O: ['OpenKCM'] }, { CN: [commonName(identity)] }],
        issuer: this.#certificate.subjectName,
        notBefore: new Date(now - BACKDATE_MS),
        notAfter: new Date(end),
        publicKey,
        signingKey: await this.#signingKey(),
        signingAlgorithm: ES256,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([eku], true),
          new x509.SubjectAlternativeNameExtension([{ type: 'url', value: san }, ...names], false),
          await x509.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
          await x509.AuthorityKeyIdentifierExtension.create(
            this.#certificate.publicKey,
            false,
            webcrypto,
          ),
        ],
      },
      webcrypto,
    );
    return {
      san,
      certificate: pem(certificate),
      ca: this.certificate,
      sha256: sha256Hex(new Uint8Array(certificate.rawData)),
      notAfter: rfc3339(certificate.notAfter.getTime()),
    };
  }

  #signingKey(): Promise<webcrypto.CryptoKey> {
    if (this.key.disposed) throw new KcmError('sealed', 'This region is sealed.');
    return this.key.use((der) => webcrypto.subtle.importKey('pkcs8', der, P256, false, ['sign']));
  }
}

/** @throws KcmError invalid_request */
async function publicKeyOfRequest(csr: string): Promise<x509.PublicKey> {
  let request: x509.Pkcs10CertificateRequest;
  let proven: boolean;
  try {
    request = new x509.Pkcs10CertificateRequest(csr);
    proven = isP256(request.publicKey.algorithm) && (await request.verify(webcrypto));
  } catch {
    throw invalid('csr', 'The request is not PKCS #10 in PEM.');
  }
  if (!isP256(request.publicKey.algorithm))
    throw invalid('csr', 'The request’s key is not on P-256.');
  if (!proven) throw invalid('csr', 'The request’s signature is not its key’s.');
  return request.publicKey;
}

const isP256 = (algorithm: object): boolean =>
  'namedCurve' in algorithm && algorithm.namedCurve === P256.namedCurve;

function commonName(identity: CertificateIdentity): string {
  switch (identity.kind) {
    case 'workload':
      return identity.service;
    case 'edge':
      return identity.edge;
    case 'core':
      return 'core';
    default:
      return never(identity);
  }
}

const generate = () => webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);

const exportKey = async (key: webcrypto.CryptoKey): Promise<Buffer> =>
  Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));

const pem = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`;

/** 127 random bits, positive (RFC 5280 §4.1.2.2). */
function serial(random: Random): string {
  const bytes = random.bytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

const invalid = (path: string, detail: string): KcmError =>
  new KcmError('invalid_request', detail, { errors: [{ path, code: 'invalid', detail }] });
