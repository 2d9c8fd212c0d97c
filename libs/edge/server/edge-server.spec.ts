import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LeaseClock, LIMITS, systemClock, systemRandom } from '@kcm/kernel';
import { askSocket, FakeCore, SimClock } from '@kcm/testing/edge';
import { FIGURES } from '@kcm/testing/figures';
import * as fc from 'fast-check';
import { EdgeApi } from './api.js';
import { DataPlane } from '../data-plane.js';
import { assertSocketPath, EdgeServer, SERVER_LIMITS, type ServerLimits } from './edge-server.js';
import { HeldBytes } from './held-bytes.js';
import { GcWitness } from '../leases/gc-witness.js';
import { LeaseKeeper } from '../leases/lease-keeper.js';
import { RefusalCounts } from '../refusal-counts.js';
import { UsageLedger } from '../usage.js';

let folder: string;
let path: string;
let server: EdgeServer;
/** How much later it is than the clock says. */
let aheadMs = 0;
const now = (): number => systemClock.monotonicMs() + aheadMs;

async function serve(limits: Partial<ServerLimits> = {}, held = new HeldBytes()): Promise<void> {
  const core = new FakeCore();
  core.add('acme', 'billing');
  const keeper = new LeaseKeeper({
    core,
    // A machine that is busy for a second would end the lease, which is not what is shown here.
    clock: new LeaseClock(new SimClock()),
    random: systemRandom,
    witness: new GcWitness(null),
    now,
    onAlarm: () => undefined,
    onClosed: () => undefined,
    onHearsay: () => undefined,
  });
  const refusals = new RefusalCounts();
  const usage = new UsageLedger('boot', () => systemClock.wallMs(), refusals);
  const plane = new DataPlane('billing', keeper, usage, {
    random: systemRandom,
    wallMs: () => systemClock.wallMs(),
  });
  const api = new EdgeApi({
    plane,
    random: systemRandom,
    status: () => ({}),
    health: () => ({ status: 'ready', reasons: [] }),
    metrics: () => '',
    refusals,
  });
  server = new EdgeServer(path, api, { ...SERVER_LIMITS, ...limits }, now, held);
  await server.listen();
}
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kcm-http-'));
  path = join(folder, 'billing.sock');
  await serve();
});
afterEach(async () => {
  await server.close(50);
  rmSync(folder, { recursive: true });
});

/** Sends the bytes, then ends its side; everything that came back until the server closed. */
function raw(...parts: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket: Socket = connect({ path, allowHalfOpen: true });
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    // A refusal may close before everything was sent.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' || error.code === 'ECONNRESET' ? undefined : reject(error),
    );
    for (const part of parts) socket.write(part);
    socket.end();
  });
}
const statuses = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
const body = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
};
const post = (route: string, value: unknown, headers = ''): string =>
  `POST /v1/tenants/acme/${route} HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\n${headers}${body(value)}`;
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const ENCRYPT = post('encrypt', { plaintext: 'eA==' });
const serving = async (): Promise<boolean> => statuses(await raw(ENCRYPT)).join() === '200';

describe('The Edge server', () => {
  it('answers pipelined requests in their order, whole or byte by byte', async () => {
    const three = `${ENCRYPT}GET /livez HTTP/1.1\r\nHost: e\r\n\r\n${post('decrypt', { ciphertext: 'eA==' })}`;
    expect(statuses(await raw(three))).toEqual([200, 200, 400]);
    expect(statuses(await raw(...three.split(/(?=.)/s)))).toEqual([200, 200, 400]);
  });

  it('keeps answering in order when an early answer has to wait for Core', async () => {
    const many = Array.from({ length: 50 }, (_value, at) =>
      post('encrypt', { plaintext: 'eA==' }, `X-Correlation-Id: n${at}\r\n`),
    );
    const answer = await raw(many.join(''));
    const ids = [...answer.matchAll(/X-Correlation-Id: n(\d+)/g)].map(([, id]) => Number(id));
    expect(ids).toEqual(many.map((_value, at) => at));
  });

  it('gives every answer a correlation id: the caller’s if it can be one', async () => {
    const own = await raw(post('encrypt', { plaintext: 'eA==' }, 'X-Correlation-Id: my-1\r\n'));
    expect(own).toContain('\r\nX-Correlation-Id: my-1\r\n');
    const withId = (id: string) => post('encrypt', {}, `X-Correlation-Id: ${id}\r\n`);
    for (const request of [
      ...['x'.repeat(129), '<script>', 'a/b', '.a'].map(withId),
      'junk\r\n\r\n',
      'GET /x HTTP/1.1\r\nHost: e\r\n\r\n',
    ])
      expect(await raw(request)).toMatch(/\r\nX-Correlation-Id: [0-9a-f-]{36}\r\n/);
  });

  it('answers 100 Continue before a body that waits for it', async () => {
    const head = ENCRYPT.slice(0, ENCRYPT.indexOf('\r\n\r\n'));
    expect(statuses(await raw(`${head}\r\nExpect: 100-continue\r\n\r\n`))).toEqual([100]);
  });

  it('says nothing to a half-sent body and goes on serving', async () => {
    expect(await raw(ENCRYPT.slice(0, -5))).toBe('');
    expect(await serving()).toBe(true);
  });

  it('closes when asked to', async () => {
    const answer = await raw(post('encrypt', {}, 'Connection: close\r\n'), ENCRYPT);
    expect(statuses(answer)).toEqual([400]);
    expect(answer).toContain('\r\nConnection: close\r\n');
  });

  it.each<[string, string, number]>([
    ['a bare LF', ENCRYPT.replace('\r\nHost', '\nHost'), 400],
    ['a space before the colon', ENCRYPT.replace('Host:', 'Host :'), 400],
    ['a folded header', ENCRYPT.replace('Host: edge', 'Host: edge\r\n folded'), 400],
    ['a control character in a value', ENCRYPT.replace('edge', 'ed\u0001ge'), 400],
    ['no Host', ENCRYPT.replace('Host: edge\r\n', ''), 400],
    ['two Hosts', ENCRYPT.replace('Host: edge', 'Host: a\r\nHost: b'), 400],
    ['two lengths', post('encrypt', {}, 'Content-Length: 2\r\n'), 400],
    ['a signed length', ENCRYPT.replace(/Length: \d+/, 'Length: +2'), 400],
    ['a transfer coding', post('encrypt', {}, 'Transfer-Encoding: chunked\r\n'), 411],
    ['a POST without length', 'POST /v1/tenants/acme/encrypt HTTP/1.1\r\nHost: e\r\n\r\n', 411],
    ['HTTP/1.0', ENCRYPT.replace('HTTP/1.1', 'HTTP/1.0'), 505],
    ['an absolute target', ENCRYPT.replace('POST /', 'POST http://e/'), 400],
    ['another expectation', post('encrypt', {}, 'Expect: 200-ok\r\n'), 417],
    ['a huge header', post('encrypt', {}, `X: ${'x'.repeat(LIMITS.edgeHeaderBytesMax)}\r\n`), 431],
    ['many headers', post('encrypt', {}, 'X: y\r\n'.repeat(100)), 431],
    ['a huge body', ENCRYPT.replace(/Length: \d+/, `Length: ${LIMITS.edgeBodyBytesMax + 1}`), 413],
    ['NUL in the target', ENCRYPT.replace('acme', 'ac\u0000me'), 400],
    ['an over-long target', ENCRYPT.replace('acme', 'a'.repeat(20_000)), 431],
    ['a length and chunks', ENCRYPT.replace('Host', 'Transfer-Encoding: chunked\r\nHost'), 411],
    ['bytes of TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\r\n\r\n', 400],
  ])('refuses %s, closes, and serves the next', async (_what, request, status) => {
    const answer = await raw(Buffer.from(request, 'latin1'), ENCRYPT);
    const codes = { 408: 'request_timeout', 413: 'payload_too_large', 431: 'headers_too_large' };
    const code = codes[status as keyof typeof codes] ?? 'invalid_request';
    expect(answer).toContain(`"code":"${code}"`);
    expect(statuses(answer)).toEqual([status]);
    expect(answer).toContain('Content-Type: application/problem+json');
    expect(await serving()).toBe(true);
  });

  it.each<[string, string, number, string]>([
    ['no JSON', post('encrypt', '{'), 400, 'invalid_request'],
    ['a list', post('encrypt', []), 400, 'invalid_request'],
    ['bytes that are not UTF-8', ENCRYPT.replace('eA==', '\u00ffA=='), 400, 'invalid_request'],
    ['10^5 levels', post('encrypt', `{"context":${nested(1e5)}}`), 400, 'invalid_request'],
    ['10^5 levels of nothing asked', post('encrypt', nested(1e5)), 400, 'invalid_request'],
    ['__proto__', post('encrypt', '{"__proto__":{"plaintext":"eA=="}}'), 400, 'invalid_request'],
    ['NUL in base64', post('encrypt', '{"plaintext":"e\\u0000=="}'), 400, 'invalid_request'],
    [
      'another type',
      ENCRYPT.replace('application/json', 'text/plain'),
      415,
      'unsupported_media_type',
    ],
    ['another method', ENCRYPT.replace('POST', 'PUT'), 405, 'method_not_allowed'],
    ['a query', ENCRYPT.replace('encrypt ', 'encrypt?a=1 '), 400, 'invalid_request'],
    ['no such route', ENCRYPT.replace('encrypt ', 'encrypts '), 404, 'not_found'],
    ['a climbing path', ENCRYPT.replace('acme/encrypt', 'acme/../x/encrypt'), 404, 'not_found'],
  ])('refuses %s and keeps the connection', async (_what, request, status, code) => {
    const answer = await raw(Buffer.from(request, 'latin1'), ENCRYPT);
    expect(statuses(answer)).toEqual([status, 200]);
    expect(answer).toContain(`"code":"${code}"`);
  });

  it('names every wrong field at once', async () => {
    const context = { a: 1 };
    const answer = await raw(post('encrypt', { plaintext: 'x', context, surplus: 1 }));
    const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as { errors: object[] };
    expect(problem.errors).toEqual([
      expect.objectContaining({ path: 'surplus', code: 'unknown' }),
      expect.objectContaining({ path: 'plaintext', code: 'invalid' }),
      expect.objectContaining({ path: 'context', code: 'invalid' }),
    ]);
  });

  it.each(['eA', 'eA=', 'e-A=', 'e_A=', 'e A=', 'eA==eA==', '====', 'e\nA=', 4, null])(
    'takes %j for no base64',
    async (plaintext) => {
      expect(statuses(await raw(post('encrypt', { plaintext })))).toEqual([400]);
    },
  );

  it('takes the largest body there may be, and opens and rewraps what came of it', async () => {
    const room = LIMITS.edgeBodyBytesMax - '{"plaintext":""}'.length;
    const plaintext = 'A'.repeat(room - (room % 4));
    const answer = await raw(post('encrypt', { plaintext }));
    expect(statuses(answer)).toEqual([200]);
    const [, ciphertext] = /"ciphertext":"([^"]+)"/.exec(answer)!;
    expect(await raw(post('decrypt', { ciphertext }))).toContain(`{"plaintext":"${plaintext}"}`);
    expect(await raw(post('rewrap', { ciphertext }))).toContain(`{"ciphertext":"${ciphertext}"`);
  });

  it('opens and rewraps in one batch what one batch of the largest size encrypted', async () => {
    const count = LIMITS.edgeBatchItemsMax;
    const each = Math.floor(LIMITS.edgeBodyBytesMax / count) - '{"plaintext":""},'.length - 4;
    const items = Array.from({ length: count }, () => ({
      plaintext: 'A'.repeat(each - (each % 4)),
    }));
    const answer = await raw(post('encrypt-batch', { items }));
    const sealed = [...answer.matchAll(/"ciphertext":"([^"]+)"/g)];
    const asked = { items: sealed.map(([, ciphertext]) => ({ ciphertext })) };
    const opened = await raw(post('decrypt-batch', asked));
    expect(opened.endsWith(JSON.stringify({ items }))).toBe(true);
    const moved = await raw(post('rewrap-batch', asked));
    const current = [...moved.matchAll(/"ciphertext":"([^"]+)"/g)].map(
      ([, ciphertext]) => ciphertext,
    );
    expect(current).toEqual(asked.items.map(({ ciphertext }) => ciphertext));
  });

  it('never crashes, hangs or answers 5xx, whatever arrives', async () => {
    const mutated = fc
      .array(fc.tuple(fc.nat(ENCRYPT.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = Buffer.from(ENCRYPT);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    const words = fc
      .array(
        fc.constantFrom(
          'POST ',
          'GET ',
          '/v1/tenants/acme/encrypt',
          '/v1/tenants/acme/rewrap',
          '/v1/tenants/acme/data-keys',
          '/v1/tenants/acme/data-keys/unwrap',
          '/livez',
          ' HTTP/1.1',
          '\r\n',
          '\r\n\r\n',
          'Host: e',
          'Content-Length: 2',
          'Content-Length: 99999999999',
          'Transfer-Encoding: chunked',
          'Content-Type: application/json',
          '{}',
          '{"plaintext":"eA=="}',
          '{"wrapped":"eA==","rewrap":true}',
          '\u0000',
          ':',
        ),
        { maxLength: 20 },
      )
      .map((parts) => Buffer.from(parts.join('')));
    const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, words, bytes), async (sent) => {
        const answer = await raw(sent);
        for (const status of statuses(answer)) expect(status === 505 || status < 500).toBe(true);
      }),
      { numRuns: FIGURES.edgeMutations, seed: 4711 },
    );
    expect(await serving()).toBe(true);
  });
});

describe('Slow and idle connections', () => {
  const closed = (socket: Socket): Promise<string> =>
    new Promise((resolve) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
    });

  it('end with 408 when a request does not arrive in time, however it trickles', async () => {
    await server.close(0);
    await serve({ requestMs: 100 });
    const socket = connect(path);
    const answer = closed(socket);
    const trickle = setInterval(() => socket.write('x'), 20);
    socket.write('POST /');
    expect(statuses(await answer)).toEqual([408]);
    expect(await answer).toContain('"code":"request_timeout"');
    clearInterval(trickle);
  });

  it('end silently when nothing is asked', async () => {
    await server.close(0);
    await serve({ idleMs: 50, requestMs: 50 });
    expect(await closed(connect(path))).toBe('');
    while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('are not taken for idle because the process stood still', async () => {
    await server.close(0);
    const sweepMs = 400;
    await serve({ idleMs: 5_000, requestMs: sweepMs });
    const asking = connect(path);
    while (server.connections === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const answered = new Promise<string>((resolve) => {
      asking.once('data', (bytes) => resolve(bytes.toString('latin1')));
      asking.once('close', () => resolve('closed'));
    });
    // A sweep sees the clocks of after the standstill before anything is read.
    aheadMs += 60_000;
    await new Promise((resolve) => setTimeout(resolve, sweepMs + 50));
    asking.write(ENCRYPT);
    expect(await answered).toMatch(/^HTTP\/1.1 200 /);
    // At the next sweep it is idle like any other.
    aheadMs += 6_000;
    await new Promise((resolve) => asking.once('close', resolve));
  });

  it('are limited in number, and one that goes makes room', async () => {
    await server.close(0);
    await serve({ connectionsMax: 1 });
    const first = connect(path);
    first.write(ENCRYPT);
    await new Promise((resolve) => first.once('data', resolve));
    expect(await raw(ENCRYPT)).toBe('');
    first.destroy();
    await new Promise((resolve) => first.once('close', resolve));
    while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await serving()).toBe(true);
  });

  it('end when the answers are not taken', async () => {
    await server.close(0);
    await serve({ answerMs: 100, requestMs: 50 });
    const deaf = connect(path);
    deaf.pause();
    deaf.on('error', () => undefined);
    const plaintext = 'AAAA'.repeat(50_000);
    for (let n = 0; n < 20; n += 1) deaf.write(post('encrypt', { plaintext }));
    while (server.connections === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    deaf.destroy();
  });

  it('of which all are half sent keep no more than so much, and who sends at a pace is answered', async () => {
    await server.close(0);
    const held = new HeldBytes(1024 * 1024);
    await serve({}, held);
    const plaintext = 'AAAA'.repeat(100_000);
    const whole = post('encrypt', { plaintext });
    const half = whole.slice(0, 300_000);
    const told: string[] = [];
    for (let n = 0; n < 6; n += 1) {
      const socket = connect(path);
      socket.write(half);
      void closed(socket).then((answer) => told.push(answer));
    }
    // Three of them fit; the others are told to come again.
    while (told.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const answer of told) {
      expect(answer).toContain('"code":"rate_limited"');
      expect(answer).toContain('Retry-After: 1');
    }
    for (let n = 0; n < 3; n += 1) expect(statuses(await raw(whole))).toEqual([200]);
    expect(held.bytes).toBeLessThanOrEqual(1024 * 1024);
    await server.close(0);
    while (held.bytes > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('a client that does not read costs the others nothing', async () => {
    const deaf = connect(path);
    deaf.pause();
    const plaintext = 'AAAA'.repeat(50_000);
    deaf.on('error', () => undefined);
    for (let n = 0; n < 40; n += 1) deaf.write(post('encrypt', { plaintext }));
    expect(await serving()).toBe(true);
    deaf.destroy();
  });
});

describe('A socket path', () => {
  it('over the system’s limit is refused by name', () => {
    const long = `/tmp/${'x'.repeat(103)}`;
    expect(() => assertSocketPath(long.slice(0, LIMITS.socketPathBytesMax))).not.toThrow();
    expect(() => assertSocketPath(long)).toThrow(long);
  });

  it('that another process listens on is refused; what a killed one left is taken over', async () => {
    const other = new EdgeServer(path, {} as EdgeApi, SERVER_LIMITS, now);
    await expect(other.listen()).rejects.toMatchObject({ code: 'wrong_state' });
    expect(await serving()).toBe(true);
    await server.close(0);
    const left = createServer().listen(path);
    await new Promise((resolve) => left.once('listening', resolve));
    await new Promise((resolve) => left.close(resolve));
    writeFileSync(`${path}.unrelated`, '');
    await serve();
    expect((await askSocket(path, 'GET', '/livez')).body).toEqual({ status: 'live' });
  });
});
