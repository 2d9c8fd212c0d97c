import { removeFolder, scratchFolder, Server } from '../support/server.js';

interface Item {
  readonly actor: string;
  readonly action: string;
  readonly resource: string;
  readonly outcome: string;
  readonly code?: string;
  readonly correlationId: string;
  readonly count?: number;
}

/** So many of one principal are recorded one by one in a minute. */
const CAP = 60;
const folder = scratchFolder('refusals');
const server = new Server(folder, { env: { KCM_SEAL: 'shamir', KCM_EDGE_SERVICES: 'billing' } });
let shares: readonly string[];
let serial = 0;

async function unseal(): Promise<void> {
  for (const share of shares) await server.must('POST', '/v1/sys/unseal', { body: { share } });
}

beforeAll(async () => {
  await server.start();
  const body = { shares: 2, threshold: 2 };
  shares = (await server.must<{ shares: string[] }>('POST', '/v1/sys/init', { body })).shares;
  await unseal();
  for (const id of ['acme', 'globex'])
    await server.must('POST', '/v1/tenants', { body: { id, name: id } });
  await server.must('POST', '/v1/tenants/acme/activate');
}, 60_000);

afterAll(async () => {
  await server.stop();
  removeFolder(folder);
});

async function refusedItems(query: string): Promise<readonly Item[]> {
  const path = `/v1/audit?outcome=refused&limit=200&${query}`;
  const token = await server.tokenFor(null, ['platform-auditor'], 'reader');
  return (await server.must<{ items: Item[] }>('GET', path, { token })).items;
}

/** The record of one refusal, once the read model has it. */
async function recordOf(correlationId: string): Promise<readonly Item[]> {
  let items: readonly Item[] = [];
  await server.until(`a record of ${correlationId}`, async () => {
    items = await refusedItems(`correlationId=${correlationId}`);
    return items.length > 0;
  });
  return items;
}

async function refuse(method: string, path: string, asked: Parameters<Server['ask']>[2]) {
  const correlationId = `refusal-${++serial}`;
  const headers = { ...asked?.headers, 'x-correlation-id': correlationId };
  const { status, body } = await server.ask(method, path, { ...asked, headers });
  return { correlationId, status, code: body['code'] };
}

describe('each refused command is in the audit trail, by its correlation id', () => {
  it.each<
    [string, string, string, 'operator' | 'admin' | 'none', Parameters<Server['ask']>[2], string]
  >([
    ['a wrong role', 'POST', '/v1/tenants/acme/activate', 'admin', { body: {} }, 'forbidden'],
    ["another's tenant", 'PUT', '/v1/tenants/globex/policy', 'admin', { body: {} }, 'not_found'],
    ['no such tenant', 'PUT', '/v1/tenants/nobody/policy', 'admin', { body: {} }, 'not_found'],
    ['a wrong state', 'POST', '/v1/tenants/acme/unblock', 'operator', { body: {} }, 'wrong_state'],
    ['a wrong field', 'POST', '/v1/tenants', 'operator', { body: { id: 1 } }, 'invalid_request'],
    [
      'what is there already',
      'POST',
      '/v1/tenants',
      'operator',
      { body: { id: 'acme', name: 'A' } },
      'already_exists',
    ],
    [
      'a wrong region',
      'POST',
      '/v1/tenants',
      'operator',
      { body: { id: 'r', name: 'r', homeRegion: 'mars' } },
      'wrong_region',
    ],
    [
      'a stale revision',
      'PUT',
      '/v1/tenants/acme/policy',
      'admin',
      { body: { leaseSeconds: 20 }, headers: { 'if-match': '"0"' } },
      'precondition_failed',
    ],
    [
      'no token',
      'POST',
      '/v1/tenants',
      'none',
      { body: { id: 'x', name: 'x' } },
      'unauthenticated',
    ],
    ['a body that is no JSON', 'POST', '/v1/tenants', 'operator', { raw: '{' }, 'invalid_request'],
    [
      'another media type',
      'POST',
      '/v1/tenants',
      'operator',
      { raw: '{}', headers: { 'content-type': 'text/plain' } },
      'unsupported_media_type',
    ],
    ["a read of another's", 'GET', '/v1/tenants/globex/keys', 'admin', {}, 'not_found'],
    ['a read without the role', 'GET', '/v1/edges', 'admin', {}, 'forbidden'],
  ])('%s', async (_name, method, path, who, asked, code) => {
    const tokens = {
      operator: { token: server.operatorToken },
      admin: { token: await server.tokenFor('acme', ['tenant-admin'], 'anna') },
      none: {},
    };
    const refused = await refuse(method, path, { ...asked, ...tokens[who] });
    expect(refused.code).toBe(code);
    const [item, ...more] = await recordOf(refused.correlationId);
    expect(more).toEqual([]);
    expect(item).toMatchObject({ outcome: 'refused', code, resource: path, count: 1 });
    expect(item!.action).toMatch(new RegExp(`^${method} /v1/`));
    // Whose body cannot be read is not asked who they are.
    if (asked?.raw === undefined)
      expect(item!.actor).toBe({ operator: 'operator', admin: 'anna', none: 'anonymous' }[who]);
  });

  it('while sealed too', async () => {
    await server.must('POST', '/v1/sys/seal');
    const sealed = await refuse('POST', '/v1/tenants', { token: server.operatorToken, body: {} });
    const foreign = await refuse('POST', '/v1/sys/unseal', {
      token: server.operatorToken,
      body: { share: `${shares[0]!}a` },
    });
    expect([sealed.code, foreign.code]).toEqual(['sealed', 'share_refused']);
    await unseal();
    expect(await recordOf(sealed.correlationId)).toMatchObject([{ code: 'sealed' }]);
    const records = await recordOf(foreign.correlationId);
    expect(records).toMatchObject([{ code: 'share_refused', actor: 'operator' }]);
    expect(JSON.stringify(records)).not.toContain(shares[0]);
  });
});

it('past the cap of one principal they are counted, and nobody else is affected', async () => {
  const noisy = await server.tokenFor('globex', ['auditor'], 'noisy');
  const quiet = await server.tokenFor('globex', ['auditor'], 'quiet');
  const storm = Array.from({ length: 3 * CAP }, () =>
    server.ask('POST', '/v1/tenants/globex/services', { token: noisy, body: {} }),
  );
  const answers = await Promise.all(storm);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]));
  const other = await refuse('POST', '/v1/tenants/globex/services', { token: quiet, body: {} });
  expect(await recordOf(other.correlationId)).toMatchObject([{ actor: 'quiet', count: 1 }]);
  // What was only counted is written down at the end of the window, and on a stop.
  await server.stop();
  await server.start();
  await unseal();
  let items: readonly Item[] = [];
  const total = () => items.reduce((sum, { count = 1 }) => sum + count, 0);
  await server.until('the counted ones', async () => {
    items = (await refusedItems('order=desc')).filter(({ actor }) => actor === 'noisy');
    return total() === 3 * CAP;
  });
  expect(items.filter(({ count }) => count === 1)).toHaveLength(CAP);
  expect(items).toHaveLength(CAP + 1);
}, 30_000);
