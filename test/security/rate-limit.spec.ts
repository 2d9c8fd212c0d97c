import type { Answer } from '../support/http.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';

/** What a bucket holds: five seconds of its rate. */
const BURST = 5;
const RATE = 20;
const ANONYMOUS = 4;
/** Far more than are let through while a slow machine asks them. */
const ENOUGH = 5_000;
const folder = scratchFolder('rate-limit');
const env = {
  KCM_RATE_LIMIT: String(RATE),
  KCM_RATE_LIMIT_ANONYMOUS: String(ANONYMOUS),
  KCM_TRUSTED_PROXIES: '127.0.0.1/32, 10.0.0.0/8',
};
const server = new Server(folder, { env });
let noisy: string;
let quiet: string;

beforeAll(async () => {
  await server.start();
  await server.must('POST', '/v1/tenants', { body: { id: 'acme', name: 'Acme' } });
  noisy = await server.tokenFor('acme', ['auditor'], 'noisy');
  quiet = await server.tokenFor('acme', ['auditor', 'tenant-admin'], 'quiet');
}, 30_000);

afterAll(async () => {
  await server.stop();
  removeFolder(folder);
});

/** Until one is refused for its rate; `others`: what every earlier one was answered. */
async function untilLimited(
  ask: () => Promise<Answer>,
): Promise<{ refused: Answer; others: Set<number> }> {
  const others = new Set<number>();
  for (let asked = 0; asked < ENOUGH; asked += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    const refused = answers.find(({ status }) => status === 429);
    for (const { status } of answers) if (status !== 429) others.add(status);
    if (refused !== undefined) return { refused, others };
  }
  throw new Error(`none of ${ENOUGH} requests was refused`);
}
const keys = (token: string) => server.ask('GET', '/v1/tenants/acme/keys', { token });
const someAddress = (n: number): string => `203.${n >> 8}.${n & 255}.1`;
/** As a proxy on this machine hands it on. */
const from =
  (hops: string, path = '/v1/sys/status', token?: string) =>
  () =>
    server.ask('GET', path, {
      headers: { 'x-forwarded-for': hops },
      ...(token === undefined ? {} : { token }),
    });

it('a principal that asks too often is refused, told when to ask again, and recorded', async () => {
  const before = await keys(noisy);
  expect(before.headers).toMatchObject({
    'ratelimit-limit': String(RATE * BURST),
    'ratelimit-remaining': String(RATE * BURST - 1),
    'ratelimit-reset': '1',
  });
  const { refused, others } = await untilLimited(() => keys(noisy));
  expect([...others]).toEqual([200]);
  expect(refused.headers).toMatchObject({
    'retry-after': '1',
    'ratelimit-limit': String(RATE * BURST),
    'ratelimit-remaining': '0',
  });
  expect(refused.body).toMatchObject({
    code: 'rate_limited',
    correlationId: refused.headers['x-correlation-id'],
  });
  // Nobody else is affected, of the same tenant or from the same address.
  expect((await keys(quiet)).status).toBe(200);
  const path = `/v1/tenants/acme/audit?correlationId=${String(refused.body['correlationId'])}`;
  let items: unknown = [];
  await server.until('the record', async () => {
    items = (await server.ask('GET', path, { token: quiet })).body['items'];
    return (items as unknown[]).length > 0;
  });
  expect(items).toMatchObject([{ actor: 'noisy', code: 'rate_limited', outcome: 'refused' }]);
  await server.until('room again', async () => (await keys(noisy)).status === 200);
}, 60_000);

async function limitsByAddress(
  at: string,
  path: string,
  status: number,
  token?: string,
): Promise<void> {
  const { refused, others } = await untilLimited(from(at, path, token));
  expect([...others]).toEqual([status]);
  expect(refused.body).toMatchObject({ code: 'rate_limited' });
  expect(refused.headers).toMatchObject({ 'ratelimit-limit': String(ANONYMOUS * BURST) });
  // It shuts out no one who is somebody, no one who watches, and no other address.
  expect((await from(at, '/v1/tenants/acme/keys', quiet)()).status).toBe(200);
  for (const probe of ['/livez', '/readyz'])
    for (let n = 0; n < 2 * ANONYMOUS * BURST; n += 1)
      expect((await from(at, probe)()).status).toBe(200);
  expect((await from(at, '/metrics')()).status).toBe(200);
  expect((await from('198.51.100.1')()).status).toBe(200);
}

it('a public route is limited by address, and shuts out no one who is somebody', async () => {
  await limitsByAddress('192.0.2.1', '/v1/sys/status', 200);
}, 60_000);

it.each([
  ['a made-up token', '192.0.2.2', '/v1/tenants', 401, 'made.up.token'],
  ['no token', '192.0.2.3', '/v1/tenants', 401, undefined],
  ['the reference page', '192.0.2.4', '/docs/', 200, undefined],
  ['the script of it', '192.0.2.5', '/docs/js/scalar.js', 200, undefined],
  ['the description', '192.0.2.6', '/openapi.json', 200, undefined],
  ['what no route serves', '192.0.2.7', '/v1/nothing', 404, undefined],
  ['a path that cannot be decoded', '192.0.2.8', '/v1/%E0%A4%A', 400, undefined],
])(
  'so is %s',
  async (_what, at, path, status, token) => {
    await limitsByAddress(at, path, status, token);
  },
  60_000,
);

describe('Behind a proxy that is trusted', () => {
  it('the last hop that is none is who asks: what it wrote before itself changes nothing', async () => {
    let made = 0;
    await untilLimited(() => from(`${someAddress(made++)}, 192.0.2.99, 10.1.2.3`)());
  }, 60_000);

  it('what is no address is one sender', async () => {
    let made = 0;
    await untilLimited(() => from(`somebody-${String(made++)}`)());
  }, 60_000);
});

describe('Where no proxy is named', () => {
  const alone = scratchFolder('no-proxy');
  const other = new Server(alone, { env: { KCM_RATE_LIMIT_ANONYMOUS: String(ANONYMOUS) } });
  beforeAll(() => other.start(), 30_000);
  afterAll(async () => {
    await other.stop();
    removeFolder(alone);
  });

  it('nobody’s word on where it comes from is taken', async () => {
    let made = 0;
    const ask = () =>
      other.ask('GET', '/v1/sys/status', {
        headers: { 'x-forwarded-for': someAddress(made++) },
      });
    await untilLimited(ask);
  }, 60_000);
});
