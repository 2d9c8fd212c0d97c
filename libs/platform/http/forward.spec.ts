import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fastify, { type FastifyInstance } from 'fastify';
import { Upstream } from './forward.js';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe('A path that another process of ours serves', () => {
  let behind: Server;
  let front: FastifyInstance;
  let upstream: Upstream;
  let seen: Seen[];
  let hang: boolean;

  beforeEach(async () => {
    [seen, hang] = [[], false];
    behind = createServer((request, response) => {
      const { method = '', url = '', headers } = request;
      void text(request).then((body) => {
        seen.push({ method, url, headers, body });
        if (hang) return;
        response.writeHead(201, { etag: '"7"', 'kcm-token': 't', 'content-type': 'text/x' });
        response.end('as it came');
      });
    });
    await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve));
    const { port } = behind.address() as AddressInfo;
    const url = new URL(`http://127.0.0.1:${port}`);
    upstream = new Upstream({ name: 'Core', url, ca: null, answerMsMax: 10_000 });
    front = fastify();
    front.decorateRequest('kcm');
    front.addHook('onRequest', (request, _reply, done) => {
      request.kcm = { correlationId: 'c-1' } as typeof request.kcm;
      done();
    });
    upstream.serve(front, ['/v1/sys']);
    await front.listen({ port: 0, host: '127.0.0.1' });
  });
  afterEach(async () => {
    upstream.close();
    front.server.closeAllConnections();
    behind.closeAllConnections();
    await front.close();
    behind.close();
  });
  const at = (path: string) =>
    `http://127.0.0.1:${(front.server.address() as AddressInfo).port}${path}`;

  it('gets the request as it came, who asked and the correlation id, and answers as it answered', async () => {
    const answer = await fetch(at('/v1/sys/tokens?a=%2F&a=b'), {
      method: 'POST',
      headers: {
        authorization: 'Bearer x',
        'idempotency-key': 'k',
        'content-type': 'application/whatever',
        'x-correlation-id': 'forged\tby-the-caller',
        'x-forwarded-for': '203.0.113.9',
      },
      body: '{"a": 1,\u0000 "a":2}',
    });
    expect([answer.status, await answer.text()]).toEqual([201, 'as it came']);
    expect(answer.headers.get('etag')).toBe('"7"');
    expect(answer.headers.get('kcm-token')).toBe('t');
    expect(seen).toHaveLength(1);
    const { method, url, headers, body } = seen[0]!;
    expect([method, url, body]).toEqual([
      'POST',
      '/v1/sys/tokens?a=%2F&a=b',
      '{"a": 1,\u0000 "a":2}',
    ]);
    expect(headers).toMatchObject({
      authorization: 'Bearer x',
      'idempotency-key': 'k',
      'content-type': 'application/whatever',
      'x-correlation-id': 'c-1',
      'x-forwarded-for': '127.0.0.1',
    });
  });

  it('is not left by a path that tries to climb out, and not reached by another', async () => {
    const socket = connect((front.server.address() as AddressInfo).port, '127.0.0.1');
    const answered = new Promise<string>((resolve) => {
      let read = '';
      socket.on('data', (chunk: Buffer) => (read += chunk.toString('latin1')));
      socket.on('close', () => resolve(read));
    });
    for (const path of ['/v1/tenants', '/v1/sysx', '//127.0.0.1/v1/sys'])
      socket.write(`GET ${path} HTTP/1.1\r\nhost: k\r\n\r\n`);
    socket.write('GET /v1/sys/..%2Ftenants HTTP/1.1\r\nhost: k\r\nconnection: close\r\n\r\n');
    const all = await answered;
    expect(all.match(/HTTP\/1\.1 (\d+)/g)).toEqual([
      ...Array<string>(3).fill('HTTP/1.1 404'),
      'HTTP/1.1 201',
    ]);
    // It is the other process that reads it, and it reads what was sent.
    expect(seen.map(({ url }) => url)).toEqual(['/v1/sys/..%2Ftenants']);
  });

  it('that nobody serves now is a refusal by code, and asked about at most once a second', async () => {
    expect(await upstream.answers(0)).toBe(false);
    expect(await upstream.answers(999)).toBe(false);
    expect(seen.map(({ url }) => url)).toEqual(['/livez']);
    behind.closeAllConnections();
    await new Promise((resolve) => behind.close(resolve));
    const answer = await fetch(at('/v1/sys/status'));
    expect(answer.status).toBe(503);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(await answer.json()).toMatchObject({ code: 'core_unavailable', correlationId: 'c-1' });
    expect(await upstream.answers(1_000)).toBe(false);
  });

  it('does not take what was forwarded already: addresses in a ring end', async () => {
    const answer = await fetch(at('/v1/sys/status'), { headers: { 'kcm-forwarded': '1' } });
    expect([answer.status, seen]).toEqual([503, []]);
  });

  it('is no longer asked by somebody who has gone', async () => {
    hang = true;
    const closed = new Promise((resolve) =>
      behind.on('connection', (socket) => socket.on('close', resolve)),
    );
    const abort = new AbortController();
    const asking = fetch(at('/v1/sys/status'), { signal: abort.signal }).catch(() => 'gone');
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    expect(await asking).toBe('gone');
    await closed;
  });
});
