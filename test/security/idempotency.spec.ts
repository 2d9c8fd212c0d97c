import { join } from 'node:path';
import { generateCsr } from '@kcm/crypto';
import { Customer, type Onboarded, onboard } from '../support/customer.js';
import type { Answer } from '../support/http.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';
import { blobsOf, eventsOf } from './disk.js';

interface Command {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly token: string;
}

const folder = scratchFolder('idempotency');
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

const send = (key: string, { method, path, body, token }: Command, more = {}): Promise<Answer> =>
  server.ask(method, path, {
    token,
    headers: { 'idempotency-key': key, ...more },
    ...(body === undefined ? {} : { body }),
  });

const events = () => eventsOf(join(server.dataDir, 'ledger.db'));
/** Of which kinds, since so many events. */
const typesSince = (count: number) =>
  events()
    .slice(count)
    .map(({ type }) => type);
/** What one request wrote: its events, and those that follow from them, have its correlation id. */
const writtenBy = ({ headers }: Answer) =>
  events()
    .filter(({ meta, type }) => {
      return meta['correlationId'] === headers['x-correlation-id'] && type !== 'CommandRefused';
    })
    .map(({ type }) => type);

const told = ({ status, headers, body }: Answer) => ({
  status,
  location: headers['location'],
  etag: headers['etag'],
  body,
});

/** Holders answer and the receipt is issued meanwhile. */
const opened = ({ status, headers, body: { id, kind, stage } }: Answer) => {
  return { status, location: headers['location'], id, kind, stage };
};

/** A token says when it was signed; all else is the same. */
const claimsOf = ({ body }: Answer): unknown => {
  const claims = String(body['token']).split('.')[1] ?? '';
  const { iat: _, ...rest } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
    iat: number;
  };
  return rest;
};

describe('a command that comes again under its key', () => {
  const own = (method: string, path: string, body: unknown = {}): Command => ({
    method,
    path: `/v1/tenants/acme${path}`,
    body,
    token: acme.anna,
  });
  const ours = (method: string, path: string, body: unknown = {}): Command => ({
    method,
    path: `/v1${path}`,
    body,
    token: operator,
  });
  let suspended = '';

  it.each<[string, (csr: string) => Promise<Command> | Command, readonly string[]]>([
    ['tenant', () => ours('POST', '/tenants', { id: 'new', name: 'New' }), ['TenantRegistered']],
    ['activate', () => ours('POST', '/tenants/new/activate'), ['TenantActivated']],
    ['block', () => ours('POST', '/tenants/new/block'), ['LockTaken', 'TenantBlocked']],
    ['unblock', () => ours('POST', '/tenants/new/unblock'), ['LockReleased', 'TenantUnblocked']],
    ['policy', () => own('PUT', '/policy', { leaseSeconds: 20 }), ['TenantPolicyChanged']],
    [
      'service',
      () => own('POST', '/services', { id: 'mail' }),
      ['ServiceMapped', 'KeyCreated', 'KeyVersionWrapped'],
    ],
    [
      'unmap',
      () => ({ method: 'DELETE', path: '/v1/tenants/acme/services/mail', token: acme.anna }),
      ['ServiceUnmapped'],
    ],
    [
      'probe',
      () => own('POST', `/root-keys/${acme.rootKey}/probe`),
      ['RootKeyProbeRequested', 'RootKeyProbed'],
    ],
    [
      'rotate',
      () => own('POST', `/keys/${acme.l3}/rotate`),
      ['KeyRotationRequested', 'KeyVersionWrapped', 'KeyRotated'],
    ],
    [
      'suspend',
      () =>
        own('POST', '/revocations', {
          kind: 'suspend',
          scope: { service: 'billing' },
          reason: { code: 'x' },
        }),
      ['LockTaken', 'RevocationLocked'],
    ],
    [
      'release',
      async () => {
        const list = await server.must<{ items: { id: string }[] }>(
          'GET',
          '/v1/tenants/acme/revocations',
          {
            token: acme.auditor,
          },
        );
        suspended = list.items[0]!.id;
        return { ...own('POST', `/revocations/${suspended}/release`), token: acme.boris };
      },
      ['LockReleased', 'RevocationReleased'],
    ],
    [
      'token',
      () => ours('POST', '/sys/tokens', { subject: 'x', roles: ['auditor'], tenant: 'acme' }),
      ['TokenIssued'],
    ],
    [
      'certificate',
      (csr) => ours('POST', '/sys/certificates', { tenant: 'acme', service: 'billing', csr }),
      ['CertificateIssued'],
    ],
    [
      'edge',
      (csr) => ours('POST', '/edges', { id: 'e1', services: ['billing'], csr }),
      ['EdgeEnrolled'],
    ],
    ['revoked edge', () => ours('POST', '/edges/e1/revoke'), ['EdgeRevoked']],
  ])('(%s) gets the first answer and writes nothing more', async (name, make, types) => {
    const command = await make((await generateCsr('test')).csr);
    const { path } = command;
    const first = await send(name, command);
    expect(first.status).toBeLessThan(300);
    await server.until(types.join(', '), () => {
      const written = writtenBy(first);
      return types.every((type) => written.includes(type));
    });
    const again = await send(name, command);
    if (name === 'token') expect(claimsOf(again)).toEqual(claimsOf(first));
    else if (path.includes('/revocations')) expect(opened(again)).toEqual(opened(first));
    else expect(told(again)).toEqual(told(first));
    expect(writtenBy(again)).toEqual([]);
  });

  it('after a restart too', async () => {
    const command = ours('POST', '/tenants', { id: 'kept', name: 'Kept' });
    const first = await send('kept', command);
    await server.kill();
    await server.start();
    const again = await send('kept', command);
    expect(told(again)).toEqual(told(first));
    expect(writtenBy(again)).toEqual([]);
  });

  it.each<[string, () => Command, unknown]>([
    ['tenant', () => ours('POST', '/tenants', { id: 't-1', name: 'T' }), { id: 't-2', name: 'T' }],
    ['policy', () => own('PUT', '/policy', { leaseSeconds: 30 }), { leaseSeconds: 31 }],
    ['service', () => own('POST', '/services', { id: 's-1' }), { id: 's-2' }],
    [
      'token',
      () => ours('POST', '/sys/tokens', { subject: 'a', roles: ['platform-auditor'] }),
      { subject: 'b', roles: ['platform-auditor'] },
    ],
  ])('(%s) with another body is 422 and changes nothing', async (name, make, other) => {
    const command = make();
    expect((await send(`other ${name}`, command)).status).toBeLessThan(300);
    const refused = await send(`other ${name}`, { ...command, body: other });
    expect([refused.status, refused.body['code']]).toEqual([422, 'idempotency_key_reused']);
    expect(writtenBy(refused)).toEqual([]);
  });

  it('(edge) with another body is 422 and enrols nobody', async () => {
    const [one, two] = await Promise.all([generateCsr('a'), generateCsr('b')]);
    const enrol = (id: string, csr: string) =>
      send('other edge', ours('POST', '/edges', { id, services: ['billing'], csr }));
    expect((await enrol('e-1', one.csr)).status).toBe(201);
    for (const [id, csr] of [
      ['e-2', two.csr],
      ['e-1', two.csr],
      ['e-2', one.csr],
    ] as const)
      expect((await enrol(id, csr)).status).toBe(422);
    expect((await server.ask('GET', '/v1/edges/e-2', { token: operator })).status).toBe(404);
  });

  it('is a command of its own for another person and on another route', async () => {
    const mine = await send('mine', own('PUT', '/policy', { leaseSeconds: 40 }));
    const policy = own('PUT', '/policy', { leaseSeconds: 41 });
    const theirs = await send('mine', { ...policy, token: acme.boris });
    expect([mine, theirs].map(writtenBy)).toEqual([
      ['TenantPolicyChanged'],
      ['TenantPolicyChanged'],
    ]);
    expect((await send('mine', own('POST', '/services', { id: 'own-key' }))).status).toBe(201);
  });

  it('twenty at once have one effect and one answer', async () => {
    const many: readonly [Command, string][] = [
      [ours('POST', '/tenants', { id: 'many', name: 'Many' }), 'TenantRegistered'],
      [ours('POST', '/sys/tokens', { subject: 'm', roles: ['platform-auditor'] }), 'TokenIssued'],
      [own('POST', '/services', { id: 'many' }), 'ServiceMapped'],
      [
        own('POST', '/revocations', {
          kind: 'suspend',
          scope: { service: 'many' },
          reason: { code: 'x' },
        }),
        'LockTaken',
      ],
    ];
    for (const [command, type] of many) {
      const before = events().length;
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => send(`20 ${type}`, command)),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([answers[0]!.status]));
      expect(answers[0]!.status).toBeLessThan(300);
      const seen = answers.map((answer) =>
        JSON.stringify(type === 'TokenIssued' ? claimsOf(answer) : answer.body['id']),
      );
      expect(new Set(seen).size).toBe(1);
      expect(typesSince(before).filter((each) => each === type)).toEqual([type]);
    }
  });

  it('of twenty bodies under one key one is taken', async () => {
    const before = events().length;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        send('one of 20', ours('POST', '/tenants', { id: `x-${at}`, name: 'X' })),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
    expect(statuses).toEqual([201, ...Array.from({ length: 19 }, () => 422)]);
    const registered = typesSince(before).filter((type) => type === 'TenantRegistered');
    expect(registered).toHaveLength(1);
  });

  it('a refusal is not kept: the command is decided anew once it can be', async () => {
    const activate = ours('POST', '/tenants/later/activate');
    expect((await send('later', activate)).status).toBe(404);
    await send('register later', ours('POST', '/tenants', { id: 'later', name: 'Later' }));
    expect((await send('later', activate)).status).toBe(200);
  });
});

describe('connecting a root key again under its key', () => {
  it('finds the first sealing of the credentials and calls the keystore no second time', async () => {
    const id = 'sealed';
    await server.must('POST', '/v1/tenants', { body: { id, name: id } });
    await server.must('POST', `/v1/tenants/${id}/activate`);
    const token = await server.tokenFor(id, ['key-admin'], 'karl');
    const body = await customer.connection(id);
    const command = { method: 'POST', path: `/v1/tenants/${id}/root-keys`, body, token };
    const first = await send('connect', command);
    expect([first.status, first.body['state']]).toEqual([201, 'enabled']);
    const sealed = () =>
      [...blobsOf(join(server.dataDir, 'vault.db'))].filter(([path]) =>
        path.startsWith(`cred/${id}/`),
      );
    const before = sealed();
    expect(before).toHaveLength(1);
    const twenty = await Promise.all(Array.from({ length: 20 }, () => send('connect', command)));
    expect(
      new Set(twenty.map(({ body: { id: rootKey }, status }) => `${status} ${String(rootKey)}`)),
    ).toEqual(new Set([`201 ${String(first.body['id'])}`]));
    expect(sealed()).toEqual(before);
    expect(twenty.flatMap(writtenBy)).toEqual([]);
    const other = { ...command, body: { ...body, credentials: { token: 'kst_another' } } };
    expect((await send('connect', other)).status).toBe(422);
    expect(sealed()).toEqual(before);
  });
});

describe('If-Match', () => {
  it('holds a command to the revision that its caller saw', async () => {
    const seen = await server.ask('GET', '/v1/tenants/acme', { token: acme.auditor });
    const etag = String(seen.headers['etag']);
    const change = (leaseSeconds: number, match: string, key: string) =>
      send(
        key,
        {
          method: 'PUT',
          path: '/v1/tenants/acme/policy',
          body: { leaseSeconds },
          token: acme.anna,
        },
        { 'if-match': match },
      );
    const taken = await change(50, etag, 'match 1');
    expect(taken.status).toBe(200);
    expect(taken.headers['etag']).not.toBe(etag);
    const late = await change(51, etag, 'match 2');
    expect([late.status, late.body['code']]).toEqual([412, 'precondition_failed']);
    expect(writtenBy(late)).toEqual([]);
    // The first one again: it was held to the revision then, and its answer stands.
    expect(told(await change(50, etag, 'match 1'))).toEqual(told(taken));
    expect((await change(52, String(taken.headers['etag']), 'match 3')).status).toBe(200);
  });
});
