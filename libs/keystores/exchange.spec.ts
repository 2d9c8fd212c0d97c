import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import * as x509 from '@peculiar/x509';
import { EgressGuard, LOOPBACK_CIDRS, type PinnedAddress } from './egress.js';
import { Exchange } from './exchange.js';

describe('exchange', () => {
  let server: Server;
  let port: number;
  const seen: { host: string | undefined; url: string | undefined }[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      seen.push({ host: request.headers.host, url: request.url });
      response.setHeader('content-type', 'application/json').end('{"ok":true}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  afterEach(() => seen.splice(0));

  const signal = () => AbortSignal.timeout(2_000);
  const get = (path: string) => ({
    method: 'GET',
    url: new URL(`http://kms.example:${port}${path}`),
    headers: {},
    signal: signal(),
  });

  it('connects to the address that was checked, though the name moves meanwhile', async () => {
    const answers: PinnedAddress[][] = [
      [{ address: '127.0.0.1', family: 4 }],
      [{ address: '169.254.169.254', family: 4 }],
    ];
    let asked = 0;
    const resolve = () => Promise.resolve(answers[Math.min(asked++, 1)]!);
    const exchange = new Exchange(new EgressGuard({ allow: LOOPBACK_CIDRS }, resolve));
    try {
      expect(await exchange.send(get('/first'))).toMatchObject({ status: 200, body: { ok: true } });
      expect(asked).toBe(1);
      expect(seen).toEqual([{ host: `kms.example:${port}`, url: '/first' }]);
      await expect(exchange.send(get('/second'))).rejects.toMatchObject({
        reason: 'address_refused',
      });
      expect(seen).toHaveLength(1);
    } finally {
      exchange.close();
    }
  });

  it('uses no proxy of the environment', async () => {
    const before = process.env['HTTP_PROXY'];
    process.env['HTTP_PROXY'] = 'http://127.0.0.1:1';
    const exchange = new Exchange(new EgressGuard({ allow: LOOPBACK_CIDRS }));
    try {
      const url = new URL(`http://127.0.0.1:${port}/direct`);
      expect(await exchange.send({ ...get('/'), url })).toMatchObject({ status: 200 });
    } finally {
      exchange.close();
      if (before === undefined) delete process.env['HTTP_PROXY'];
      else process.env['HTTP_PROXY'] = before;
    }
  });

  it('goes on when the other side has closed an idle connection', async () => {
    const exchange = new Exchange(new EgressGuard({ allow: LOOPBACK_CIDRS }));
    const url = new URL(`http://127.0.0.1:${port}/again`);
    try {
      await exchange.send({ ...get('/'), url });
      server.closeAllConnections();
      expect(await exchange.send({ ...get('/'), url })).toMatchObject({ status: 200 });
    } finally {
      exchange.close();
    }
  });

  it('ends with the signal while the name is still being looked up', async () => {
    const never = () => new Promise<never>(() => undefined);
    const exchange = new Exchange(new EgressGuard({ allow: [] }, never));
    const request = { ...get('/'), signal: AbortSignal.timeout(10) };
    await expect(exchange.send(request)).rejects.toMatchObject({ reason: 'timeout' });
    exchange.close();
  });

  it('says that a name does not resolve', async () => {
    const exchange = new Exchange(new EgressGuard({ allow: [] }, () => Promise.resolve([])));
    await expect(exchange.send(get('/'))).rejects.toMatchObject({ reason: 'unresolved' });
    exchange.close();
  });
});

describe('exchange over TLS', () => {
  const guard = new EgressGuard({ allow: LOOPBACK_CIDRS });
  let server: Server;
  let port: number;
  let ca: string;
  beforeAll(async () => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        name: 'CN=kms',
        keys,
        signingAlgorithm: algorithm,
        notAfter: new Date(Date.now() + 3_600_000),
        extensions: [
          new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
        ],
      },
      webcrypto,
    );
    ca = certificate.toString('pem');
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    const key = x509.PemConverter.encode(pkcs8, 'PRIVATE KEY');
    server = createTlsServer({ key, cert: ca }, (_, response) => response.end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const ask = async (host: string, trusted: string | null) => {
    const exchange = new Exchange(guard, trusted);
    const url = new URL(`https://${host}:${port}/`);
    try {
      return await exchange.send({
        method: 'GET',
        url,
        headers: {},
        signal: AbortSignal.timeout(2_000),
      });
    } finally {
      exchange.close();
    }
  };

  it('speaks to a server whose certificate the given CA signed for this host', async () => {
    expect(await ask('127.0.0.1', ca)).toMatchObject({ status: 200 });
  });

  it('speaks to no other, whatever the environment says about verification', async () => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      await expect(ask('127.0.0.1', null)).rejects.toMatchObject({ reason: 'unreachable' });
      await expect(ask('localhost', ca)).rejects.toMatchObject({ reason: 'unreachable' });
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
  });
});
