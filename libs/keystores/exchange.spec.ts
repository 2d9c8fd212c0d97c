import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EgressGuard, LOOPBACK_CIDRS, type PinnedAddress } from './egress.js';
import { Exchange } from './exchange.js';

describe('exchange', () => {
  let server: Server;
  let port: number;
  const seen: { host: string | undefined; url: string | undefined }[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      seen.push({ host: request.headers.host, url: request.url });
      response.end('{"ok":true}');
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
