import { join } from 'node:path';
import { generateCsr } from '@kcm/crypto';
import { Customer, onboard, type Onboarded } from '../support/customer.js';
import type { Answer } from '../support/http.js';
import { sendRaw } from '../support/raw.js';
import { ended, removeFolder, runProgram, scratchFolder, Server } from '../support/server.js';
import { readFileSync } from 'node:fs';

const folder = scratchFolder('bad-input');
const server = new Server(folder, { env: { KCM_EDGE_SERVICES: 'billing' } });
let customer: Customer;
let acme: Onboarded;
let operator: string;

beforeAll(async () => {
  await server.start();
  operator = server.operatorToken;
  customer = await Customer.open(join(folder, 'bank'));
  acme = await onboard(server, customer, 'acme', 'billing');
}, 60_000);

afterAll(async () => {
  await server.stop();
  await customer.close();
  removeFolder(folder);
});

interface Field {
  readonly path: string;
  readonly code: string;
}
const fieldsOf = ({ body }: Answer): readonly Field[] => (body['errors'] ?? []) as Field[];
const pathsOf = (answer: Answer): readonly string[] => fieldsOf(answer).map(({ path }) => path);

/** A refusal as every refusal is: problem+json under the status of its code, with a correlation id. */
function expectProblem(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, ...answer.body }).toMatchObject({ status, code });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({
    type: `urn:kcm:problem:${code}`,
    correlationId: answer.headers['x-correlation-id'],
    title: expect.any(String) as string,
    detail: expect.any(String) as string,
  });
}

describe('wrong fields', () => {
  it('are named all at once with their codes, those of body, query and headers together', async () => {
    const answer = await server.ask('POST', '/v1/tenants?dry=1', {
      token: operator,
      body: {
        id: '-no',
        name: '',
        homeRegion: 7,
        policy: { leaseSeconds: 9, cache: { off: 'no', size: 1 }, allowExport: 'yes', x: 1 },
        owner: 'me',
      },
      headers: { 'idempotency-key': 'k'.repeat(256) },
    });
    expectProblem(answer, 400, 'invalid_request');
    const found = new Map(fieldsOf(answer).map(({ path, code }) => [path, code]));
    expect(Object.fromEntries(found)).toEqual({
      id: 'invalid_format',
      name: 'too_small',
      homeRegion: 'invalid_type',
      'policy.leaseSeconds': 'too_small',
      'policy.cache.off': 'invalid_type',
      'policy.cache.size': 'unknown_field',
      'policy.allowExport': 'invalid_type',
      'policy.x': 'unknown_field',
      owner: 'unknown_field',
      'query.dry': 'unknown_field',
      'header.idempotency-key': 'too_big',
    });
    for (const path of found.keys()) expect(answer.body['detail']).toContain(path);
  });

  it('of a tenant that is not registered: nobody is given a token or a certificate for it', async () => {
    const { csr } = await generateCsr('billing');
    for (const [path, more] of [
      ['tokens', { subject: 'eve', roles: ['auditor'] }],
      ['certificates', { service: 'billing', csr }],
    ] as const) {
      const body = { tenant: 'not-yet', ...more };
      const answer = await server.ask('POST', `/v1/sys/${path}`, { token: operator, body });
      expectProblem(answer, 404, 'not_found');
      expect(fieldsOf(answer)).toMatchObject([{ path: 'tenant', code: 'not_found' }]);
    }
  });

  it('of a value that may have several forms are those of the nearest one', async () => {
    const path = '/v1/tenants/acme/revocations';
    const body = { kind: 'suspend', scope: { service: 'NO' }, reason: { code: 'x' } };
    const answer = await server.ask('POST', path, { token: acme.anna, body });
    expect(pathsOf(answer)).toEqual(['scope.service']);
    const share = await server.ask('POST', '/v1/sys/unseal', {
      token: operator,
      body: { share: 1 },
    });
    expect(pathsOf(share)).toEqual(['share']);
  });

  it('of a reference are those of the keystore that it names', async () => {
    const answer = await server.ask('POST', '/v1/tenants/acme/root-keys', {
      token: acme.anna,
      body: {
        keystore: 'software',
        reference: { url: 'ftp://x', key: '../k', extra: 1 },
        credentials: {},
      },
    });
    expectProblem(answer, 400, 'invalid_request');
    expect([...pathsOf(answer)].sort((a, b) => (a < b ? -1 : 1))).toEqual([
      'credentials.token',
      'reference.extra',
      'reference.key',
      'reference.url',
    ]);
  });

  it.each<[string, Record<string, string>, string]>([
    ['Idempotency-Key', { 'idempotency-key': 'k'.repeat(256) }, 'header.idempotency-key'],
    ['Idempotency-Key that is not ASCII', { 'idempotency-key': 'ÿ' }, 'header.idempotency-key'],
    ['an empty Idempotency-Key', { 'idempotency-key': '' }, 'header.idempotency-key'],
    ['If-Match without quotes', { 'if-match': '1' }, 'header.if-match'],
    ['a weak If-Match', { 'if-match': 'W/"1"' }, 'header.if-match'],
    ['If-Match beyond any revision', { 'if-match': '"9999999999999999"' }, 'header.if-match'],
  ])('%s is refused by name', async (_name, headers, path) => {
    const asked = { token: acme.anna, body: {}, headers };
    const answer = await server.ask('PUT', '/v1/tenants/acme/policy', asked);
    expectProblem(answer, 400, 'invalid_request');
    expect(pathsOf(answer)).toEqual([path]);
  });

  it.each<[string, string]>([
    ['no base64', '%%%'],
    ['no pair', Buffer.from('{}').toString('base64url')],
    ['numbers', Buffer.from('[1,2]').toString('base64url')],
    ['deep', Buffer.from('['.repeat(5_000)).toString('base64url')],
    ['another ledger', Buffer.from('["0","0000000000000001"]').toString('base64url')],
  ])('a Kcm-Token that is not ours (%s) is refused', async (_name, token) => {
    const asked = { token: operator, headers: { 'kcm-token': token } };
    expectProblem(await server.ask('GET', '/v1/tenants', asked), 400, 'invalid_request');
  });

  it.each<[string, string]>([
    ['no base64', '%25%25'],
    ['of another list', ''],
    ['made up', Buffer.from('["0000000000000000","a",null]').toString('base64url')],
    ['no list', Buffer.from('{"a":1}').toString('base64url')],
  ])('a cursor that is not of this list (%s) is refused', async (_name, given) => {
    const path = '/v1/tenants/acme/audit?limit=1';
    const page = await server.ask('GET', path, { token: acme.auditor });
    const cursor = given === '' ? String(page.body['nextCursor']) : given;
    expect(page.body['nextCursor']).toEqual(expect.any(String));
    const asked = `/v1/tenants/acme/keys?cursor=${cursor}`;
    const answer = await server.ask('GET', asked, { token: acme.auditor });
    expectProblem(answer, 400, 'invalid_request');
    expect(pathsOf(answer)[0]).toMatch(/cursor$/);
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'limit=1&limit=2',
    'limit=1e1&nope=1',
    '__proto__=1',
  ])('a list refuses ?%s', async (query) => {
    const answer = await server.ask('GET', `/v1/tenants?${query}`, { token: operator });
    expectProblem(answer, 400, 'invalid_request');
  });
});

describe('bodies', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const connect = (value: string) =>
    `{"keystore":"software","reference":{"url":${value},"key":"k"},"credentials":{"token":"t"}}`;

  it.each<[string, string | Buffer]>([
    ['cut off', '{"id":'],
    ['followed by more', '{} {}'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['null', 'null'],
    ['NaN', 'NaN'],
    ['nested 10^4 deep', nested(10_000)],
    ['nested as deep as a mebibyte allows', nested(500_000)],
    ['objects nested 10^4 deep', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
    ['deep where any JSON may stand', connect(nested(10_000))],
    ['with __proto__', '{"__proto__":{"id":"p"},"id":"p1","name":"n"}'],
    ['with constructor.prototype', '{"constructor":{"prototype":{"a":1}},"id":"p2","name":"n"}'],
    ['with __proto__ inside', connect('{"__proto__":{"url":"x"}}')],
    ['with half a character', '{"id":"half","name":"\\ud800"}'],
    ['with half a character in a name', '{"id":"half","name":"n","\\ud800":1}'],
    ['with a control character', '{"id":"control","name":"a\\u001b[2Jb"}'],
    ['with NUL', '{"id":"nul","name":"a\\u0000b"}'],
    ['not UTF-8', Buffer.from('{"id":"latin","name":"\xff\xfe"}', 'latin1')],
    ['UTF-16', Buffer.from('{"id":"wide","name":"n"}', 'utf16le')],
    ['with a number beyond any', '{"id":"big","name":"n","policy":{"leaseSeconds":1e400}}'],
    ['with a broken number', '{"id":"frac","name":"n","policy":{"leaseSeconds":10.5}}'],
  ])('%s: 400', async (_name, raw) => {
    const paths = ['/v1/tenants', '/v1/tenants/acme/root-keys'];
    for (const path of paths) {
      const token = path === '/v1/tenants' ? operator : acme.anna;
      expectProblem(await server.ask('POST', path, { token, raw }), 400, 'invalid_request');
    }
    expect(({} as Record<string, unknown>)['id']).toBeUndefined();
  });

  it('over 1 MiB: 413, whether told first or found out', async () => {
    const raw = Buffer.alloc(1024 * 1024 + 1, 0x20);
    const told = await server.ask('POST', '/v1/tenants', { token: operator, raw });
    expectProblem(told, 413, 'payload_too_large');
    const found = await sendRaw(
      server.url,
      `POST /v1/tenants HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n100001\r\n${' '.repeat(0x100001)}\r\n0\r\n\r\n`,
    );
    expect(found).toMatch(/^HTTP\/1\.1 413 [^]*"code":"payload_too_large"/);
  });

  it('that come with an expectation which nobody knows: as without it', async () => {
    const answer = await sendRaw(
      server.url,
      'POST /v1/tenants HTTP/1.1\r\nHost: x\r\nExpect: the-best\r\nConnection: close\r\n' +
        'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 [^]*"code":"unauthenticated"/);
  });

  it('that the ledger could not hold: refused before anything is kept', async () => {
    const raw = connect(JSON.stringify(`http://127.0.0.1/${'x'.repeat(300_000)}`));
    const answer = await server.ask('POST', '/v1/tenants/acme/root-keys', {
      token: acme.anna,
      raw,
    });
    expect([400, 413]).toContain(answer.status);
    expectProblem(answer, answer.status, String(answer.body['code']));
  });

  it.each(['text/plain', 'application/xml', 'multipart/form-data; boundary=x', ';;;', 'json'])(
    'of type %s: 415',
    async (type) => {
      const asked = { token: operator, raw: '{}', headers: { 'content-type': type } };
      expectProblem(await server.ask('POST', '/v1/tenants', asked), 415, 'unsupported_media_type');
    },
  );

  it('that are empty are as good as {}', async () => {
    const path = '/v1/tenants/acme/block';
    for (const raw of ['', '{}']) {
      const unblocked = await server.ask('POST', path, { token: operator, raw });
      expect(unblocked.status).toBe(200);
      await server.must('POST', '/v1/tenants/acme/unblock');
    }
  });
});

describe('paths and methods', () => {
  const PATHS = [
    ['a lone percent', '%'],
    ['a broken escape', '%zz'],
    ['broken UTF-8', '%E0%A4%A'],
    ['NUL', 'a%00'],
    ['a newline', 'a%0d%0aX-Evil:1'],
    ['a slash', 'acme%2fkeys'],
    ['a backslash', '..%5c..'],
    ['dots', '..'],
    ['escaped dots', '%2e%2e'],
    ['doubly escaped', '%2561cme'],
    ['letters beyond ASCII', encodeURIComponent('Ａcme')],
    ['a surrogate', '%ED%A0%80'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
    ['toString', 'toString'],
    ['an apostrophe', "acme'--"],
    ['over-long', 'a'.repeat(201)],
    ['very over-long', 'a'.repeat(10_000)],
    ['one letter over', 'a'.repeat(81)],
  ] as const;

  it.each(PATHS)('%s names nothing', async (_name, segment) => {
    const token = operator;
    for (const [method, path] of [
      ['GET', `/v1/tenants/${segment}`],
      ['POST', `/v1/tenants/${segment}/activate`],
      ['GET', `/v1/operations/${segment}`],
      ['GET', `/v1/edges/${segment}`],
      ['POST', `/v1/sys/projections/${segment}/rebuild`],
    ] as const) {
      const answer = await server.ask(method, path, {
        token,
        ...(method === 'POST' ? { body: {} } : {}),
      });
      const { status } = answer;
      expect([400, 404]).toContain(status);
      expectProblem(answer, status, status === 404 ? 'not_found' : 'invalid_request');
    }
    for (const path of ['keys', 'root-keys', 'revocations', 'services']) {
      const answer = await server.ask('GET', `/v1/tenants/acme/${path}/${segment}`, {
        token: path === 'services' || path === 'revocations' ? acme.anna : acme.auditor,
      });
      expect([400, 404]).toContain(answer.status);
    }
  });

  it('an escaped letter is the letter: the same tenant, guarded the same', async () => {
    await server.must('POST', '/v1/tenants', { body: { id: 'globex', name: 'globex' } });
    const globex = await server.tokenFor('globex', ['auditor']);
    const path = '/v1/tenants/%61cme/keys';
    expect((await server.ask('GET', path, { token: acme.auditor })).status).toBe(200);
    expectProblem(await server.ask('GET', path, { token: globex }), 404, 'not_found');
  });

  it.each(['/v1//tenants', '/v1/tenants/', '/V1/tenants', '/v1/tenants;a=1', '/.git/config', '*'])(
    '%s is no route',
    async (path) => {
      expectProblem(await server.ask('GET', path, { token: operator }), 404, 'not_found');
    },
  );

  it.each(['PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PUT', 'SEARCH', 'LOCK'])(
    '%s is not served where it is not declared, and what is, is named',
    async (method) => {
      const answer = await server.ask(method, '/v1/tenants', { token: operator });
      expectProblem(answer, 405, 'method_not_allowed');
      expect(answer.headers.allow).toBe('GET, HEAD, POST');
      expectProblem(await server.ask(method, '/v1/none', { token: operator }), 404, 'not_found');
    },
  );
});

describe('bytes', () => {
  const head = 'POST /v1/tenants HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

  it.each<[string, string, number?]>([
    ['no HTTP', 'hello\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x00\x05hello\r\n\r\n'],
    ['an unknown method', 'BREW /v1/tenants HTTP/1.1\r\nHost: x\r\n\r\n'],
    [
      'headers without end',
      `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`,
      431,
    ],
    ['too many headers', `GET /livez HTTP/1.1\r\nHost: x\r\n${'X: 1\r\n'.repeat(10_000)}\r\n`, 431],
    ['an over-long target', `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ['two lengths', `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    ['length and chunks', `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`],
    ['a negative length', `${head}Content-Length: -2\r\n\r\n{}`],
    ['broken chunks', `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n`],
    ['NUL in a header', 'GET /livez HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n'],
    ['a bare line feed', 'GET /livez HTTP/1.1\nHost: x\n\n'],
    ['chunks, then a length', `${head}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}`],
    ['a coding that is not the last', `${head}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ['two codings', `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', `${head}Content-Length : 2\r\n\r\n{}`],
    ['a signed length', `${head}Content-Length: +2\r\n\r\n{}`],
    ['a length in a list', `${head}Content-Length: 2, 2\r\n\r\n{}`],
    ['a chunk beyond any', `${head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n`],
    ['NUL in the target', 'GET /liv\0ez HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('%s: refused with a problem, and the connection ends', async (_name, bytes, status = 400) => {
    const answer = await sendRaw(server.url, Buffer.from(bytes, 'latin1'));
    const code = status === 431 ? 'headers_too_large' : 'invalid_request';
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`]);
    expect(answer).toContain(`"code":"${code}"`);
    expect(answer).toMatch(/\r\nContent-Type: application\/problem\+json/i);
    expect(answer).toMatch(/"correlationId":"[0-9a-f-]{36}"/);
  });

  it('pipelined requests are answered in their order, each on its own', async () => {
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const unknown = get('/nope') + get('/v1/tenants/%zz') + get('/v1/tenants');
    const last = 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const said = await sendRaw(server.url, `${get('/livez')}${unknown}${last}`);
    const statuses = [...said.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]);
    expect(statuses).toEqual(['200', '404', '400', '401', '200']);
  });

  it('garbage behind whole requests: these are answered first, then it is refused', async () => {
    const whole = `GET /v1/tenants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${operator}\r\n\r\n`;
    const said = await sendRaw(server.url, `${whole}${whole}junk\r\n\r\n`);
    expect(said.match(/HTTP\/1\.1 \d+/g)).toEqual(
      ['200', '200', '400'].map((s) => `HTTP/1.1 ${s}`),
    );
    expect(said).toContain('"code":"invalid_request"');
  });

  it('half-sent bodies and abandoned connections hold nothing up', async () => {
    const half = Array.from({ length: 100 }, () =>
      sendRaw(server.url, `${head}Content-Length: 500\r\n\r\n{"id":`, 300),
    );
    expect((await server.ask('GET', '/livez')).status).toBe(200);
    expect(await Promise.all(half)).toEqual(Array.from({ length: 100 }, () => ''));
    expect((await server.ask('GET', '/livez')).status).toBe(200);
  });

  it('a header sent twice is one value or a refusal, never another person', async () => {
    const authorization = [`Bearer ${acme.auditor}`, `Bearer ${operator}`];
    const twice = await server.ask('GET', '/v1/tenants/acme/audit', { headers: { authorization } });
    expect([200, 401]).toContain(twice.status);
    const all = await server.ask('GET', '/v1/edges', { headers: { authorization } });
    expect([401, 403]).toContain(all.status);
  });

  it('a correlation id or a trace that cannot be one is replaced, not written down', async () => {
    const headers = { 'x-correlation-id': '<script>', traceparent: 'x'.repeat(5_000) };
    const asked = { token: operator, body: { id: 'traced', name: 'n' }, headers };
    const answer = await server.ask('POST', '/v1/tenants', asked);
    expect(answer.status).toBe(201);
    expect(answer.headers['x-correlation-id']).toMatch(/^[0-9a-f-]{36}$/);
    await server.kill();
    await server.start();
    const ledger = ['ledger.db', 'ledger.db-wal'].map((name) =>
      readFileSync(join(server.dataDir, name), 'latin1'),
    );
    expect(ledger.join('')).not.toMatch(/x{100}|<script>/);
  });
});

describe('settings', () => {
  it('the server names all that are wrong at once and does not start', async () => {
    const log = join(folder, 'settings.log');
    const env = { KCM_DATA_DIR: join(folder, 'none'), KCM_BIND: '0.0.0.0', KCM_SEAL: 'glue' };
    const child = runProgram(
      ['dist/apps/standalone/main.js'],
      { ...env, KCM_HTTP_PORT: '99999', KCM_LEDGER: 'mysql:', KCM_LEGDER: 'x' },
      log,
    );
    await ended(child);
    expect(child.exitCode).toBe(2);
    const said = readFileSync(log, 'utf8');
    for (const name of ['KCM_BIND', 'KCM_SEAL', 'KCM_HTTP_PORT', 'KCM_LEDGER', 'KCM_LEGDER'])
      expect(said).toMatch(new RegExp(`^ *${name}: `, 'm'));
  });
});

it('nothing above was a failure of ours', () => {
  expect(readFileSync(server.log, 'utf8')).not.toMatch(/"level":(50|60)/);
  expect(server.running).toBe(true);
});
