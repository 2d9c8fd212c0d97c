import { createHash, createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { generateCsr, Secret } from '@kcm/crypto';
import { systemClock, systemRandom, certificateUri, type CertificateIdentity } from '@kcm/kernel';
import * as x509 from '@peculiar/x509';
import { CertificateAuthority, createAuthority, type IssuedWithKey } from './pki.js';

const EDGE: CertificateIdentity = { kind: 'edge', region: 'eu', edge: 'edge-1' };
const DAY_MS = 86_400_000;
let ca: CertificateAuthority;
let root: X509Certificate;

beforeAll(async () => {
  const made = await createAuthority('eu', systemRandom, systemClock);
  const key = Secret.own(made.privateKey);
  ca = new CertificateAuthority(made.certificate, key, systemRandom, systemClock);
  root = new X509Certificate(made.certificate);
});

const pemOf = (issued: IssuedWithKey) => issued.privateKey.use((bytes) => bytes.toString());
const invalidAt = (path: string) => ({
  code: 'invalid_request',
  errors: [expect.objectContaining({ path })],
});

describe('The region’s authority', () => {
  it('is self-signed on P-256 for ten years', () => {
    expect(root.ca && root.verify(root.publicKey)).toBe(true);
    expect(root.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    const years = (root.validToDate.getTime() - systemClock.wallMs()) / (365 * DAY_MS);
    expect(years).toBeCloseTo(10, 2);
  });

  it('certifies the key of a request under the name it believes', async () => {
    const { csr, privateKey } = await generateCsr('whoever');
    const issued = await ca.issueFromCsr(EDGE, csr, 90);
    const certificate = new X509Certificate(issued.certificate);
    const key = privateKey.use((bytes) => createPrivateKey(bytes.toString()));
    expect(certificate.checkPrivateKey(key) && certificate.checkIssued(root)).toBe(true);
    expect(certificate.verify(root.publicKey)).toBe(true);
    expect(certificate.subjectAltName).toBe('URI:kcm://region/eu/edge/edge-1');
    expect(certificate.subject).toBe('O=OpenKCM\nCN=edge-1');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).toBe(false);
    expect(issued.sha256).toBe(createHash('sha256').update(certificate.raw).digest('hex'));
    expect(Date.parse(issued.notAfter)).toBe(certificate.validToDate.getTime());
    expect(issued).toMatchObject({ san: certificateUri(EDGE), ca: ca.certificate });
  });

  it('ignores the names and the uses that a request asks for', async () => {
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ]);
    const request = await x509.Pkcs10CertificateRequestGenerator.create(
      {
        name: 'CN=core',
        keys,
        signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
        extensions: [
          new x509.BasicConstraintsExtension(true),
          new x509.SubjectAlternativeNameExtension([
            { type: 'url', value: 'kcm://tenant/other/service/x' },
          ]),
        ],
      },
      webcrypto,
    );
    const issued = await ca.issueFromCsr(EDGE, request.toString('pem'), 1);
    const certificate = new X509Certificate(issued.certificate);
    expect(certificate.subjectAltName).toBe('URI:kcm://region/eu/edge/edge-1');
    expect(certificate.ca).toBe(false);
    expect(issued.certificate).not.toContain('other');
  });

  it('refuses a request whose signature is not its key’s', async () => {
    const { csr } = await generateCsr('a');
    const der = Buffer.from(csr.replace(/-----.*-----/g, ''), 'base64');
    // Inside the subject, so that only the signature is left to tell.
    der[der.indexOf('a', 12)]! ^= 2;
    const text = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(ca.issueFromCsr(EDGE, text, 1)).rejects.toMatchObject(invalidAt('csr'));
  });

  it.each([
    ['P-384', { name: 'ECDSA', namedCurve: 'P-384' }, { name: 'ECDSA', hash: 'SHA-384' }],
    ['Ed25519', { name: 'Ed25519' }, { name: 'Ed25519' }],
  ])('refuses a key on %s', async (_, algorithm, signingAlgorithm) => {
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const request = await x509.Pkcs10CertificateRequestGenerator.create(
      { name: 'CN=a', keys, signingAlgorithm },
      webcrypto,
    );
    const refused = ca.issueFromCsr(EDGE, request.toString('pem'), 1);
    await expect(refused).rejects.toMatchObject(invalidAt('csr'));
  });

  it.each([
    '',
    'x',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
  ])('refuses what is no request: %j', async (csr) => {
    await expect(ca.issueFromCsr(EDGE, csr, 1)).rejects.toMatchObject(invalidAt('csr'));
  });

  it.each([0, -1, 1.5, 367, Number.NaN])('refuses %d days', async (days) => {
    await expect(ca.issueWorkload('t', 's', days)).rejects.toMatchObject(invalidAt('days'));
  });

  it.each([
    ['a/b', 's'],
    ['t', 'S'],
    ['', 's'],
  ])('refuses the name %j %j', async (tenant, service) => {
    await expect(ca.issueWorkload(tenant, service, 1)).rejects.toMatchObject(invalidAt('identity'));
  });

  it('gives no certificate a longer life than its own', async () => {
    const late = { ...systemClock, wallMs: () => root.validToDate.getTime() - DAY_MS };
    const made = await createAuthority('eu', systemRandom, systemClock);
    const key = Secret.own(made.privateKey);
    const old = new CertificateAuthority(made.certificate, key, systemRandom, late);
    const issued = await old.issueWorkload('t', 's', 90);
    const end = new X509Certificate(made.certificate).validToDate.getTime();
    expect(Date.parse(issued.notAfter)).toBe(end);
  });
});

describe('Certificates over mTLS', () => {
  it('carry Core and a workload through a handshake, and nobody else’s', async () => {
    const core = await ca.issueServer('eu', 90);
    const workload = await ca.issueWorkload('acme', 'billing', 90);
    const foreign = await otherAuthority().then((other) =>
      other.issueWorkload('acme', 'billing', 1),
    );
    const server = createServer({
      key: pemOf(core),
      cert: core.certificate,
      ca: core.ca,
      requestCert: true,
      rejectUnauthorized: true,
    });
    server.on('tlsClientError', () => undefined);
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => undefined);
      socket.end(socket.getPeerX509Certificate()?.subjectAltName ?? '');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const greet = async (client: IssuedWithKey) => {
      const options = { host: '127.0.0.1', port, ca: core.ca, cert: client.certificate };
      const socket = connect({ ...options, key: pemOf(client) });
      let text = '';
      try {
        for await (const chunk of socket) text += String(chunk);
      } catch {
        return 'refused';
      }
      return text === '' ? 'refused' : text;
    };
    try {
      const san = await greet(workload);
      expect(san).toBe('URI:kcm://tenant/acme/service/billing');
      await expect(greet(foreign)).resolves.toBe('refused');
      // A server's certificate opens no door as a client's.
      await expect(greet(core)).resolves.toBe('refused');
    } finally {
      server.close();
    }
  });
});

const otherAuthority = async (): Promise<CertificateAuthority> => {
  const made = await createAuthority('eu', systemRandom, systemClock);
  const key = Secret.own(made.privateKey);
  return new CertificateAuthority(made.certificate, key, systemRandom, systemClock);
};
