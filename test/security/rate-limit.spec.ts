import type { Answer } from '../support/http.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';

const RATE = 20;
const ANONYMOUS = 4;
/** What a bucket holds: five seconds of its rate. */
const BURST = 5;
const folder = scratchFolder('rate-limit');
const env = { KCM_RATE_LIMIT: String(RATE), KCM_RATE_LIMIT_ANONYMOUS: String(ANONYMOUS) };
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

const storm = (count: number, ask: () => Promise<Answer>): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, ask));
const statuses = (answers: readonly Answer[]): number[] =>
  [...new Set(answers.map(({ status }) => status))].sort((a, b) => a - b);
const keys = (token: string) => server.ask('GET', '/v1/tenants/acme/keys', { token });

it('a principal that asks too often is refused, told when to ask again, and recorded', async () => {
  const before = await keys(noisy);
  expect(before.headers).toMatchObject({
    'ratelimit-limit': String(RATE * BURST),
    'ratelimit-remaining': String(RATE * BURST - 1),
    'ratelimit-reset': '1',
  });
  const answers = await storm(2 * RATE * BURST, () => keys(noisy));
  expect(statuses(answers)).toEqual([200, 429]);
  const refused = answers.find(({ status }) => status === 429)!;
  expect(refused.headers).toMatchObject({ 'retry-after': '1', 'ratelimit-remaining': '0' });
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
}, 30_000);

it('it gets in again at its rate', async () => {
  await server.until('room', async () => (await keys(noisy)).status === 200);
});

it('nobody is limited by its address, and shuts out no one who is somebody', async () => {
  const ask = [
    () => server.ask('GET', '/v1/sys/status'),
    () => server.ask('GET', '/v1/tenants', { token: 'made.up.token' }),
    () => server.ask('GET', '/v1/tenants'),
  ];
  let at = 0;
  const answers = await storm(3 * ANONYMOUS * BURST, () => ask[at++ % ask.length]!());
  expect(statuses(answers)).toEqual([200, 401, 429]);
  expect(statuses(await storm(10, ask[1]!))).toContain(429);
  expect((await keys(quiet)).status).toBe(200);
  expect(statuses(await storm(100, () => server.ask('GET', '/livez')))).toEqual([200]);
  expect(statuses(await storm(100, () => server.ask('GET', '/readyz')))).toEqual([200]);
});
