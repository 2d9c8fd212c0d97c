import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const P256 = { name: 'ECDSA', namedCurve: 'P-256' };
const ES256 = { name: 'ECDSA', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

export interface TestCertificate {
  /** PEM. */
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
  /** Hex, of the DER certificate. */
  readonly sha256: string;
}

/** An authority for one test: makes certificates as a region does, and wrong ones too. */
export class TestAuthority {
  private constructor(
    private readonly certificate: x509.X509Certificate,
    private readonly keys: webcrypto.CryptoKeyPair,
  ) {}

  static async create(name = 'test'): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        serialNumber: '01',
        name: `CN=${name}`,
        keys,
        signingAlgorithm: ES256,
        notBefore: new Date(Date.now() - HOUR_MS),
        notAfter: new Date(Date.now() + 24 * HOUR_MS),
        extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
      },
      webcrypto,
    );
    return new TestAuthority(certificate, keys);
  }

  get ca(): string {
    return this.certificate.toString('pem');
  }

  server(region = 'local'): Promise<TestCertificate> {
    return this.issue([
      { type: 'dns', value: 'localhost' },
      { type: 'ip', value: '127.0.0.1' },
      { type: 'url', value: `kcm://region/${region}/core` },
    ]);
  }

  edge(edge: string, region = 'local'): Promise<TestCertificate> {
    return this.issue([{ type: 'url', value: `kcm://region/${region}/edge/${edge}` }]);
  }

  workload(tenant: string, service: string): Promise<TestCertificate> {
    return this.issue([{ type: 'url', value: `kcm://tenant/${tenant}/service/${service}` }]);
  }

  /** `notAfter`: Unix milliseconds, in the past for an expired one. */
  async issue(
    names: readonly x509.JsonGeneralName[],
    notAfter = Date.now() + HOUR_MS,
  ): Promise<TestCertificate> {
    const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex'),
        subject: 'CN=leaf',
        issuer: this.certificate.subjectName,
        notBefore: new Date(Date.now() - 2 * HOUR_MS),
        notAfter: new Date(notAfter),
        publicKey: keys.publicKey,
        signingKey: this.keys.privateKey,
        signingAlgorithm: ES256,
        extensions: [new x509.SubjectAlternativeNameExtension([...names], false)],
      },
      webcrypto,
    );
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    const body = der.toString('base64').replaceAll(/(.{64})/g, '$1\n');
    return {
      ca: this.ca,
      certificate: certificate.toString('pem'),
      privateKey: `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`,
      sha256: createHash('sha256').update(Buffer.from(certificate.rawData)).digest('hex'),
    };
  }
}
