import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Customer, onboard } from '../support/customer.js';
import { EventFeed } from '../support/event-feed.js';
import type { Answer } from '../support/http.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';
import { PAGE, PLATFORM_ROLES, type Role, type Row, ROWS, TENANT_ROLES } from './who-may.js';

interface Declared {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly 'x-kcm-roles'?: readonly Role[] }>>>
  >;
}
type Ids = Readonly<Record<string, string>>;

const SERVICE = 'billing';
/** What was refused quotes the path that the caller asked for. */
const TRAIL = 'audit?outcome=accepted';
/** Path segments that look like ids and name nothing. */
const NONE: Ids = {
  tenant: 'nobody',
  rootKey: 'rk-0000000000000000',
  key: 'l3-000000000000',
  service: 'nothing',
  revocation: '00000000-0000-5000-8000-000000000000',
  operation: '00000000-0000-5000-8000-000000000000',
  edge: 'no-edge',
  name: 'no-read-model',
  event: '00000000-0000-5000-8000-000000000000',
  region: 'nowhere',
  rest: '0/999',
};
/** What a query must say besides. */
const QUERIES: Ids = {
  '/v1/log/{region}/proof': '?event={event}',
  '/v1/log/{region}/consistency': '?from=1&to=2',
};

let folder: string;
let server: Server;
let customer: Customer;
let routerFile: string;
/** What exists of acme. */
let acme: Ids;
/** Tokens by tenant and role; `all` holds every role of the tenant. */
const tokens = new Map<string, string>();
const tokenOf = (owner: string, role: string): string => tokens.get(`${owner} ${role}`)!;

beforeAll(async () => {
  folder = scratchFolder('isolation');
  routerFile = join(folder, 'router.json');
  const program = ['test/security/routes.mjs', routerFile];
  server = await new Server(folder, { program, env: { KCM_EDGE_SERVICES: SERVICE } }).start();
  customer = await Customer.open(join(folder, 'bank'));
  const { id, anna, rootKey, l3 } = await onboard(server, customer, 'acme', SERVICE);
  await onboard(server, customer, 'globex', SERVICE);
  const probed = await server.ask('POST', `/v1/tenants/${id}/root-keys/${rootKey}/probe`, {
    token: anna,
    body: {},
    headers: { prefer: 'wait=0' },
  });
  const operation = String(probed.headers.location).split('/').at(-1)!;
  const revoked = await server.must<{ id: string }>('POST', `/v1/tenants/${id}/revocations`, {
    token: anna,
    body: { kind: 'suspend', scope: { service: SERVICE }, reason: { code: 'drill' } },
  });
  const known = { tenant: id, rootKey, key: l3, service: SERVICE, revocation: revoked.id };
  const event = await firstOf(id);
  acme = {
    ...known,
    operation,
    edge: 'standalone',
    name: 'tenants',
    event,
    region: 'local',
    rest: '0/000.p/1',
  };
  for (const owner of ['acme', 'globex']) {
    for (const role of TENANT_ROLES)
      tokens.set(`${owner} ${role}`, await server.tokenFor(owner, [role], role));
    tokens.set(`${owner} all`, await server.tokenFor(owner, TENANT_ROLES, 'all'));
  }
  for (const role of PLATFORM_ROLES)
    tokens.set(`platform ${role}`, await server.tokenFor(null, [role], role));
  tokens.set('bad expired', await server.tokenFor('acme', TENANT_ROLES, 'late', 1));
  tokens.set('bad garbage', 'garbage');
  tokens.set('bad unsigned', unsigned());
  tokens.set('bad altered', altered(tokenOf('acme', 'auditor')));
  await sleep(1_100);
}, 60_000);

afterAll(async () => {
  await server.stop();
  await customer.close();
  removeFolder(folder);
});

/** The id of a tenant's first event. */
async function firstOf(tenant: string): Promise<string> {
  const auditor = await server.tokenFor(tenant, ['auditor'], 'reader');
  const feed = new EventFeed(() => server.url, `/v1/tenants/${tenant}/events`, auditor);
  expect(await feed.connect('?from=start')).toBe(200);
  const { event } = await feed.until('its first event', () => true);
  feed.cut();
  return event.id;
}

/** RFC 7519 §6: "alg":"none" is nobody's signature. */
function unsigned(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600;
  const claims = { iss: 'kcm:local', aud: 'openkcm', sub: 'eve', iat: exp - 700, exp, jti: 'x' };
  const roles = ['platform-operator'];
  return `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...claims, roles })}.`;
}

/** The same signature under claims of another tenant. */
function altered(token: string): string {
  const [head, claims, signature] = token.split('.') as [string, string, string];
  const changed = Buffer.from(claims, 'base64url').toString().replace('acme', 'globex');
  return [head, Buffer.from(changed).toString('base64url'), signature].join('.');
}

const fill = (path: string, ids: Ids): string =>
  (path + (QUERIES[path] ?? '')).replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name]!);

/** Sends what no route takes: who gets past the guard is told which field is unknown. */
function call({ method, path }: Row, ids: Ids, token?: string): Promise<Answer> {
  const withToken = token === undefined ? {} : { token };
  if (method === 'GET') return server.ask(method, fill(path, ids), withToken);
  return server.ask(method, `${fill(path, ids)}?surplus=1`, { ...withToken, body: { surplus: 1 } });
}

/**
 * All that a caller can see, but for the time, the correlation id and how often it asked by itself.
 */
function visible({ status, headers, body, text }: Answer) {
  const own = ['date', 'x-correlation-id', 'content-length'];
  const rest = Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !own.includes(name) && !name.startsWith('ratelimit-'),
    ),
  );
  if (!headers['content-type']?.startsWith('application/problem+json'))
    return { status, rest, text };
  expect(body['correlationId']).toBe(headers['x-correlation-id']);
  return { status, rest, body: { ...body, correlationId: null } };
}

const seen = (answer: Answer) => ({ status: answer.status, code: answer.body['code'] });
const refusal = { unauthenticated: 401, forbidden: 403, not_found: 404 } as const;
const refused = (code: keyof typeof refusal) => ({ status: refusal[code], code });

function expectAdmitted({ method, path }: Row, answer: Answer): void {
  if (method !== 'GET') {
    expect(seen(answer)).toEqual({ status: 400, code: 'invalid_request' });
    const fields = answer.body['errors'] as { path: string; code: string }[];
    expect(fields.map((field) => field.path)).toEqual(expect.arrayContaining(['surplus']));
  } else if (path.endsWith('/receipt')) {
    // Issued when its holders have answered.
    expect([200, 409]).toContain(answer.status);
  } else if (path.includes('{operation}')) {
    // A person's own operations only.
    expect([200, 404]).toContain(answer.status);
  } else {
    expect(answer.status).toBe(200);
  }
}

const routes = ROWS.map((row) => [`${row.method} ${row.path}`, row] as const);
const guarded = routes.filter(([, { may }]) => may !== 'anybody');
const ofTenants = guarded.filter(([, { path }]) => path.includes('{tenant}'));

describe('every route of the running application', () => {
  it('has a declaration and a row here, and no row is without its route', async () => {
    const routed = (JSON.parse(readFileSync(routerFile, 'utf8')) as string[])
      .filter((route) => !route.startsWith('HEAD '))
      .map((route) => route.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, '{rest}'));
    const { paths } = (await server.ask('GET', '/openapi.json')).body as unknown as Declared;
    const declared = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { 'x-kcm-roles': roles }]) => ({
        method: method.toUpperCase(),
        path,
        may: roles === undefined ? 'anybody' : [...roles].sort(),
      })),
    );
    const text = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;
    expect(routed.sort()).toEqual([...ROWS.map(text), ...PAGE].sort());
    const expected = ROWS.map(({ method, path, may }) => ({
      method,
      path,
      may: may === 'anybody' ? may : [...may].sort(),
    }));
    const byText = (a: Row, b: Row) => (text(a) < text(b) ? -1 : 1);
    expect(declared.sort((a, b) => byText(a as Row, b as Row))).toEqual(expected.sort(byText));
  });

  it.each(guarded)('%s: its roles in their own place and nobody else', async (_name, row) => {
    for (const [owner, roles] of [
      ['acme', TENANT_ROLES],
      ['platform', PLATFORM_ROLES],
    ] as const) {
      for (const role of roles) {
        const answer = await call(row, acme, tokenOf(owner, role));
        if (row.may.includes(role)) expectAdmitted(row, answer);
        else expect({ role, ...seen(answer) }).toEqual({ role, ...refused('forbidden') });
      }
    }
  });

  it.each(guarded)('%s: no token, or none that is valid', async (_name, row) => {
    const none = visible(await call(row, NONE));
    expect(none).toMatchObject({ status: 401, rest: { 'www-authenticate': 'Bearer' } });
    for (const kind of [undefined, 'expired', 'garbage', 'unsigned', 'altered']) {
      const token = kind === undefined ? undefined : tokenOf('bad', kind);
      expect({ kind, ...visible(await call(row, acme, token)) }).toEqual({ kind, ...none });
    }
  });

  it.each(ofTenants)(
    '%s: another tenant cannot be told from one that does not exist',
    async (_name, row) => {
      for (const role of [...TENANT_ROLES, 'all']) {
        const token = tokenOf('globex', role);
        const nowhere = visible(await call(row, NONE, token));
        expect({ role, ...nowhere }).toMatchObject({ role, status: 404 });
        expect(visible(await call(row, acme, token))).toEqual(nowhere);
        expect(visible(await call(row, { ...NONE, tenant: 'acme' }, token))).toEqual(nowhere);
      }
    },
  );

  it.each(ofTenants.filter(([, { path }]) => /\{tenant\}.*\{/.test(path)))(
    "%s: another tenant's resource under one's own name cannot be told either",
    async (_name, row) => {
      const token = tokenOf('globex', 'all');
      const none = { ...NONE, tenant: 'globex' };
      // Both tenants have a service of that name.
      const { service: _, ...others } = acme;
      const body = row.method === 'GET' ? {} : { body: row.body ?? {} };
      const [theirs, nowhere] = await Promise.all(
        [{ ...none, ...others, tenant: 'globex' }, none].map((ids) =>
          server.ask(row.method, fill(row.path, ids), { token, ...body }),
        ),
      );
      expect(visible(theirs!)).toEqual(visible(nowhere!));
      expect(theirs!.status).toBe(404);
    },
  );

  it("an operation is found by who asked for it and its tenant's auditor, by nobody else", async () => {
    const at = `/v1/operations/${acme['operation']}`;
    const none = `/v1/operations/${NONE['operation']}`;
    const readers = [tokenOf('acme', 'auditor'), tokenOf('platform', 'platform-auditor')];
    for (const token of readers) expect((await server.ask('GET', at, { token })).status).toBe(200);
    const others = [
      tokenOf('globex', 'all'),
      tokenOf('acme', 'key-admin'),
      tokenOf('platform', 'platform-operator'),
    ];
    for (const token of others) {
      const nowhere = visible(await server.ask('GET', none, { token }));
      expect(visible(await server.ask('GET', at, { token }))).toEqual(nowhere);
      expect(nowhere.status).toBe(404);
    }
  });

  it.each(guarded.filter(([, { method }]) => method === 'GET'))(
    '%s: HEAD is guarded as GET is',
    async (_name, { path }) => {
      for (const token of [
        undefined,
        tokenOf('globex', 'all'),
        tokenOf('platform', 'platform-auditor'),
      ]) {
        const asked = token === undefined ? {} : { token };
        const head = await server.ask('HEAD', fill(path, acme), asked);
        const get = await server.ask('GET', fill(path, acme), asked);
        expect({ ...head.headers, date: '' }).toMatchObject({
          'content-type': get.headers['content-type'],
        });
        expect([head.status, head.text]).toEqual([get.status, '']);
      }
    },
  );

  it('which leaf an event is at is told to its tenant and the platform, to nobody else', async () => {
    const proof = (event: string, token: string) =>
      server.ask('GET', `/v1/log/local/proof?event=${event}`, { token });
    const other = tokenOf('globex', 'all');
    const nowhere = visible(await proof(NONE['event']!, other));
    expect(nowhere).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(visible(await proof(acme['event']!, other))).toEqual(nowhere);
    for (const token of [tokenOf('acme', 'approver'), tokenOf('platform', 'platform-auditor')])
      expect((await proof(acme['event']!, token)).status).toBe(200);
  });

  it("an event stream cannot be resumed from another tenant's event, nor from none", async () => {
    const token = tokenOf('globex', 'auditor');
    const resumed = (last: string) =>
      server.ask('GET', '/v1/tenants/globex/events', {
        token,
        headers: { 'last-event-id': last },
      });
    const nowhere = visible(await resumed(NONE['event']!));
    expect(nowhere).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(visible(await resumed(acme['event']!))).toEqual(nowhere);
    expect((await resumed(await firstOf('globex'))).status).toBe(200);
  });

  it('lists only the own tenant, whoever else works on the platform', async () => {
    const token = tokenOf('globex', 'all');
    for (const list of ['root-keys', 'keys', 'revocations', 'leases', 'services', TRAIL]) {
      const answer = await server.ask('GET', `/v1/tenants/globex/${list}`, { token });
      expect(answer.status).toBe(200);
      for (const id of [acme['rootKey'], acme['key'], acme['revocation'], acme['operation']])
        expect(answer.text).not.toContain(id);
      expect(answer.text).not.toMatch(/acme/);
    }
  });
});
