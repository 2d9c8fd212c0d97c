import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LIMITS } from '@kcm/kernel';
import { attribute, KCM, LinkType, ResultReason, State } from '@kcm/kmip';
import { askSocket, CACHED, KmipPeer, type SocketAnswer } from '@kcm/testing/edge';
import { TestAuthority, type TestCertificate } from '@kcm/testing/tls';
import { startEdge } from './edge.js';
import { parseBlob } from './records/blob.js';
import type { EdgeLogEntry, EdgeOptions, RunningEdge } from './running-edge.js';

type Json = Readonly<Record<string, unknown>>;
const b64 = (text: string): string => Buffer.from(text).toString('base64');
const PLAIN = b64('card 4711');

let authority: TestAuthority;
let certificate: TestCertificate;
let peer: KmipPeer;
let edge: RunningEdge;
let folder: string;
let logged: EdgeLogEntry[];

beforeAll(async () => {
  authority = await TestAuthority.create();
  certificate = await authority.edge('e1');
});
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kcm-edge-'));
  logged = [];
  peer = await KmipPeer.listen(authority, certificate.certificate);
  peer.core.add('acme', 'billing');
  peer.core.add('acme', 'mail');
  peer.core.add('globex', 'billing');
  edge = await start();
});
afterEach(async () => {
  await edge.stop();
  await peer.close();
  rmSync(folder, { recursive: true });
});

const start = (name = 'edge', more: Partial<EdgeOptions> = {}): Promise<RunningEdge> =>
  startEdge({
    usageWindowMs: 50,
    ...more,
    coreHost: '127.0.0.1',
    corePort: peer.port,
    ...certificate,
    edge: 'e1',
    region: 'local',
    services: ['billing', 'mail'],
    socketDir: join(folder, name),
    log: (entry) => logged.push(entry),
  });

const post = (
  tenant: string,
  verb: string,
  body: object,
  more: { service?: string; headers?: Record<string, string>; of?: RunningEdge } = {},
): Promise<SocketAnswer> =>
  askSocket(
    (more.of ?? edge).sockets[more.service ?? 'billing']!,
    'POST',
    `/v1/tenants/${tenant}/${verb}`,
    body,
    more.headers,
  );
const saltOf = (record: string): string =>
  parseBlob(Buffer.from(record, 'base64')).salt.toString('hex');
const get = (path: string): Promise<SocketAnswer> =>
  askSocket(edge.sockets['billing']!, 'GET', path);
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
};
const sealed = async (tenant = 'acme', context?: object): Promise<string> => {
  const answer = await post(tenant, 'encrypt', { plaintext: PLAIN, context });
  expect(answer.status).toBe(200);
  return answer.body['ciphertext'] as string;
};
/** A suspension: Core refuses from now on and says so. */
const suspend = async (): Promise<void> => {
  const acme = peer.core.tenants.get('acme')!;
  acme.denied = 'tenant_suspended';
  acme.epoch += 1;
  await peer.notify('acme/l2-0123456789ab/1', [
    attribute.text(KCM.access, 'locked'),
    attribute.long(KCM.term, acme.term),
    attribute.long(KCM.epoch, acme.epoch),
  ]);
};

describe('An Edge over KMIP', () => {
  it('encrypts and decrypts with the context bound', async () => {
    const context = { order: '1', Ärger: '"' };
    const answer = await post('acme', 'encrypt', { plaintext: PLAIN, context });
    expect(answer.body).toEqual({
      ciphertext: expect.any(String),
      keyVersion: 1,
      grantId: expect.stringMatching(/^grant-/),
    });
    expect(answer.headers['kcm-grant']).toBe(answer.body['grantId']);
    const ciphertext = answer.body['ciphertext'] as string;
    const reordered = { Ärger: '"', order: '1' };
    const opened = await post('acme', 'decrypt', { ciphertext, context: reordered });
    expect(opened.body).toEqual({ plaintext: PLAIN });
    expect(opened.headers['kcm-grant']).toBeDefined();
    const moved = await post('acme', 'decrypt', { ciphertext });
    expect([moved.status, moved.body['code']]).toEqual([400, 'decryption_failed']);
  });

  it('has a socket of mode 0600 for each service, and no file else', async () => {
    for (const path of Object.values(edge.sockets)) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'edge')).mode & 0o777).toBe(0o700);
  });

  it('opens nothing of another tenant or service, in one and the same words', async () => {
    const ciphertext = await sealed();
    await sealed('globex');
    const answers = await Promise.all([
      post('globex', 'decrypt', { ciphertext }),
      post('acme', 'decrypt', { ciphertext }, { service: 'mail' }),
      post('acme', 'decrypt', { ciphertext: b64('no record at all') }),
    ]);
    const bodies = answers.map(({ body }) => ({ ...body, correlationId: '' }));
    expect(bodies[0]).toMatchObject({ code: 'decryption_failed', status: 400 });
    expect(bodies[1]).toEqual(bodies[0]);
    expect(bodies[2]).toEqual(bodies[0]);
  });

  it('says the same of an unknown tenant, a foreign one and a malformed id', async () => {
    const answers = await Promise.all([
      post('nobody', 'encrypt', { plaintext: PLAIN }),
      post('globex', 'encrypt', { plaintext: PLAIN }, { service: 'mail' }),
      post('no.id', 'encrypt', { plaintext: PLAIN }),
      post('nobody', 'decrypt', { ciphertext: b64('x') }),
    ]);
    for (const { status, body } of answers)
      expect([status, { ...body, correlationId: '' }]).toEqual([
        404,
        {
          type: 'urn:kcm:problem:not_found',
          title: 'Not Found',
          status: 404,
          detail: 'There is no such tenant here.',
          code: 'not_found',
          correlationId: '',
        },
      ]);
  });

  it('answers a batch item by item', async () => {
    const items = [{ plaintext: PLAIN }, { plaintext: '*' }, { plaintext: PLAIN, contxt: {} }];
    const encrypted = await post('acme', 'encrypt-batch', { items });
    const [first, second, third] = encrypted.body['items'] as Record<string, never>[];
    expect(first).toMatchObject({ keyVersion: 1 });
    expect(second).toMatchObject({ error: { code: 'invalid_request' } });
    expect(third).toMatchObject({ error: { errors: [{ path: 'items.2.contxt' }] } });
    const decrypted = await post('acme', 'decrypt-batch', {
      items: [{ ciphertext: first!['ciphertext'] }, { ciphertext: PLAIN }],
    });
    expect(decrypted.body['items']).toEqual([
      { plaintext: PLAIN },
      { error: expect.objectContaining({ code: 'decryption_failed' }) },
    ]);
    expect(encrypted.headers['kcm-grant']).toBeDefined();
  });

  it('shows its leases on the socket of their service only', async () => {
    await sealed();
    const { body } = await get('/v1/status');
    expect(body).toMatchObject({
      edge: 'e1',
      core: { connected: true },
      leases: [{ tenant: 'acme', service: 'billing', keyVersion: 1, epoch: 1, mayEncrypt: true }],
      counters: { encrypt: 1 },
    });
    const other = await askSocket(edge.sockets['mail']!, 'GET', '/v1/status');
    expect(other.body['leases']).toEqual([]);
    expect((await get('/livez')).status).toBe(200);
    expect(await get('/readyz')).toMatchObject({
      status: 200,
      body: { status: 'ready', reasons: [] },
    });
  });

  it('counts what it did and refused by code, without a tenant’s name', async () => {
    await sealed();
    await post('acme', 'encrypt', { plaintext: PLAIN });
    await post('nobody', 'encrypt', { plaintext: PLAIN });
    await post('acme', 'decrypt', { ciphertext: 'AAAA' });
    await post('acme', 'nonsense', {});
    await post('acme', 'encrypt', { plaintext: 1 });
    const { status, headers, text } = await get('/metrics');
    expect([status, headers['content-type']]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        'kcm_edge_core_connected 1',
        'kcm_edge_leases 1',
        'kcm_edge_operations_total{operation="encrypt"} 2',
        'kcm_edge_refusals_total{operation="encrypt",code="not_found"} 1',
        'kcm_edge_refusals_total{operation="decrypt",code="decryption_failed"} 1',
        'kcm_edge_refusals_total{operation="none",code="not_found"} 1',
        'kcm_edge_refusals_total{operation="none",code="invalid_request"} 1',
      ]),
    );
    expect(text).not.toMatch(/acme|nobody/);
    const { body } = await get('/v1/status');
    expect(body['counters']).toMatchObject({ encrypt: 2, decrypt: 0, refused: 4 });
  });

  it('describes itself: each route that it says it has is there', async () => {
    const { body } = await get('/openapi.json');
    const paths = Object.entries(body['paths'] as Record<string, object>);
    expect(paths.length).toBe(14);
    for (const [path, methods] of paths) {
      const method = 'post' in methods ? 'POST' : 'GET';
      const asked = path.replace('{tenant}', 'acme');
      const answer = await askSocket(
        edge.sockets['billing']!,
        method,
        asked,
        method === 'POST' ? {} : undefined,
      );
      expect([path, answer.status]).not.toEqual([path, 404]);
    }
  });

  it('is cold after a restart, and reads what was sealed before it', async () => {
    const ciphertext = await sealed();
    const boot = edge.status().boot;
    await edge.stop();
    expect(peer.kwks.size).toBe(0);
    edge = await start();
    expect(edge.status()).toMatchObject({ leases: [] });
    expect(edge.status().boot).not.toBe(boot);
    expect((await post('acme', 'decrypt', { ciphertext })).body).toEqual({ plaintext: PLAIN });
  });
});

describe('An Edge that stops', () => {
  const reports = () =>
    peer.statements.filter(({ kind }) => kind === KCM.usage).map(({ payload }) => payload);
  const used = (operation: string, ok: number) => ({ tenant: 'acme', operation, ok });

  it('tells the rest in a last report, that has been used or not', async () => {
    const idle = await start('idle', { usageWindowMs: 60_000 });
    const busy = await start('busy', { usageWindowMs: 60_000 });
    const asked = () => post('acme', 'encrypt', { plaintext: PLAIN }, { of: busy });
    await until(async () => (await asked()).status === 200);
    await Promise.all([idle.stop(), busy.stop()]);
    const of = (boot: string) => reports().filter((report) => (report as Json)['boot'] === boot);
    expect(of(idle.status().boot)).toMatchObject([{ seq: 1, entries: [], last: true }]);
    expect(of(busy.status().boot)).toMatchObject([
      { seq: 1, entries: [used('encrypt', 1)], last: true },
    ]);
  });

  it('ends with it though an earlier report is under way', async () => {
    const busy = await start('busy', { usageWindowMs: 1 });
    for (let at = 0; at < 20; at += 1)
      await post('acme', 'encrypt', { plaintext: PLAIN }, { of: busy });
    await busy.stop();
    const told = reports().filter((report) => (report as Json)['boot'] === busy.status().boot);
    expect(told.map((report) => (report as Json)['seq'])).toEqual(told.map((_, at) => at + 1));
    expect(told.filter((report) => 'last' in (report as Json))).toEqual([told.at(-1)]);
  });
});

describe('When access is taken away', () => {
  it('an Edge refuses when its answer to the notice is out, and signs what it erased', async () => {
    const ciphertext = await sealed();
    await sealed('globex');
    await suspend();
    const [encrypt, decrypt, other] = await Promise.all([
      post('acme', 'encrypt', { plaintext: PLAIN }),
      post('acme', 'decrypt', { ciphertext }),
      post('globex', 'encrypt', { plaintext: PLAIN }),
    ]);
    expect([encrypt.status, encrypt.body['code']]).toEqual([403, 'tenant_suspended']);
    expect([decrypt.status, decrypt.body['code']]).toEqual([403, 'tenant_suspended']);
    expect(other.status).toBe(200);
    await until(() => peer.statements.some(({ kind }) => kind === KCM.ack));
    const { payload } = peer.statements.find(({ kind }) => kind === KCM.ack)!;
    expect(payload).toEqual({
      boot: edge.status().boot,
      uid: 'acme/l2-0123456789ab/1',
      term: 1,
      epoch: 2,
      refusedAt: expect.stringMatching(/Z$/),
      erasedAt: expect.stringMatching(/Z$/),
      handles: expect.any(Number),
    });
  });

  it('a read-only Edge seals nothing when its answer is out, opens, and signs that it kept', async () => {
    const ciphertext = await sealed();
    const acme = peer.core.tenants.get('acme')!;
    acme.access = 'readOnly';
    acme.epoch += 1;
    await peer.notify('acme/l2-0123456789ab/1', [
      attribute.enumeration('State', State.Active),
      attribute.text(KCM.access, 'readOnly'),
      attribute.long(KCM.term, acme.term),
      attribute.long(KCM.epoch, acme.epoch),
    ]);
    const [encrypt, decrypt] = await Promise.all([
      post('acme', 'encrypt', { plaintext: PLAIN }),
      post('acme', 'decrypt', { ciphertext }),
    ]);
    expect([encrypt.status, encrypt.body['code']]).toEqual([403, 'tenant_read_only']);
    expect([decrypt.status, decrypt.body]).toEqual([200, { plaintext: PLAIN }]);
    expect(edge.status().leases).toMatchObject([{ access: 'readOnly', mayEncrypt: false }]);
    await until(() => peer.statements.some(({ kind }) => kind === KCM.ack));
    const { payload } = peer.statements.find(({ kind }) => kind === KCM.ack)!;
    expect(payload).toMatchObject({ epoch: acme.epoch, erasedAt: 'kept', handles: 0 });
    expect(logged).toContainEqual(expect.objectContaining({ event: 'read-only', tenant: 'acme' }));

    acme.access = 'open';
    acme.epoch += 1;
    await until(async () => (await post('acme', 'encrypt', { plaintext: PLAIN })).status === 200);
  });

  it('an Edge that was told before Core’s notice answers for the keys that it dropped then', async () => {
    await sealed();
    edge.heard({ tenant: 'acme', term: 1, epoch: 2 });
    expect(edge.status().leases).toEqual([]);
    await suspend();
    await until(() => peer.statements.some(({ kind }) => kind === KCM.ack));
    const { payload } = peer.statements.find(({ kind }) => kind === KCM.ack)!;
    expect((payload as { handles: number }).handles).toBeGreaterThan(0);
    expect(payload).toMatchObject({ epoch: 2, erasedAt: expect.stringMatching(/Z$/) });
  });

  it('an Edge that was stopped does nothing with what it is told', async () => {
    await Promise.all([sealed(), sealed('globex')]);
    edge.heard({ tenant: 'globex', term: 1, epoch: 2 });
    expect(logged.at(-1)).toMatchObject({ event: 'heard', tenant: 'globex' });
    await edge.stop();
    logged.length = 0;
    edge.heard({ tenant: 'acme', term: 1, epoch: 2 });
    expect(logged).toEqual([]);
  });

  it('a revoked Edge drops all that it holds when it hears of it', async () => {
    const records = [await sealed(), await sealed('globex')];
    const [kwk] = [...peer.kwks.keys()].slice(-1);
    const ended = attribute.enumeration('State', State.Deactivated);
    await expect(peer.notify(kwk!, [])).rejects.toMatchObject({
      reason: ResultReason.InvalidField,
    });
    expect(edge.status().leases).toHaveLength(2);
    for (const tenant of peer.core.tenants.values()) tenant.denied = 'forbidden';
    await peer.notify(kwk!, [ended]);
    expect(edge.status().leases).toEqual([]);
    for (const [at, tenant] of ['acme', 'globex'].entries()) {
      const refused = await post(tenant, 'decrypt', { ciphertext: records[at] });
      expect(refused.body['code']).toBe('forbidden');
    }
    expect(logged).toContainEqual(
      expect.objectContaining({ event: 'revoked', detail: expect.stringContaining('2 keys') }),
    );
  });

  it('serves again when it is given back, and what was sealed before opens', async () => {
    const ciphertext = await sealed();
    await suspend();
    const acme = peer.core.tenants.get('acme')!;
    acme.denied = null;
    acme.epoch += 1;
    await until(async () => (await post('acme', 'decrypt', { ciphertext })).status === 200);
  });

  it('an Edge that cannot ask the collector says dropped-unconfirmed', async () => {
    await sealed();
    const gc = (globalThis as { gc?: () => void }).gc;
    (globalThis as { gc?: () => void }).gc = undefined as never;
    const blind = await start('blind');
    (globalThis as { gc?: () => void }).gc = gc as never;
    try {
      await post('acme', 'encrypt', { plaintext: PLAIN }, { of: blind });
      expect(blind.status().confirmsErasure).toBe(false);
      await until(() => peer.pushes.length === 2);
      await suspend();
      await until(() => peer.statements.some(({ kind }) => kind === KCM.ack));
      const { payload } = peer.statements.find(({ kind }) => kind === KCM.ack)!;
      expect(payload).toMatchObject({ erasedAt: 'dropped-unconfirmed' });
    } finally {
      await blind.stop();
    }
  });
});

describe('A rotation', () => {
  it('under load costs no call', async () => {
    const before = await sealed();
    const uid = `acme/${peer.core.keyOf('acme', 'billing')}/1`;
    const running = Array.from({ length: 40 }, async (_value, at) => {
      await new Promise((resolve) => setTimeout(resolve, at));
      return post('acme', 'encrypt', { plaintext: PLAIN });
    });
    peer.core.rotate('acme', 'billing');
    await peer.notify(uid, [
      attribute.link(LinkType.ReplacementObjectLink, uid.replace(/1$/, '2')),
      attribute.text(KCM.access, 'open'),
    ]);
    const answers = await Promise.all(running);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(answers.at(-1)!.body['keyVersion']).toBe(2);
    const opened = await post('acme', 'decrypt', { ciphertext: before });
    expect(opened.body).toEqual({ plaintext: PLAIN, keyVersion: 1, stale: true });
  });
});

describe('When Core is away', () => {
  it('an Edge serves on its leases, says that it is degraded, and comes back by itself', async () => {
    await sealed();
    const { port } = peer;
    await peer.close();
    await until(() => !edge.status().core.connected);
    expect((await post('acme', 'encrypt', { plaintext: PLAIN })).status).toBe(200);
    expect((await get('/readyz')).body).toMatchObject({
      status: 'degraded',
      reasons: [{ dependency: 'core', level: 'degraded', code: 'core_unreachable' }],
    });
    const refused = await post('globex', 'encrypt', { plaintext: PLAIN });
    expect([refused.status, refused.body['code']]).toEqual([503, 'lease_expired']);
    expect(refused.headers['retry-after']).toBe('1');
    await peer.restart(port);
    await until(async () => (await post('globex', 'encrypt', { plaintext: PLAIN })).status === 200);
    await until(() => peer.pushes.length > 0);
    expect(await peer.ping()).toBe(edge.status().boot);
  });

  it('an Edge takes a new salt by itself at the limit of invocations, in batches too', async () => {
    expect(LIMITS.subkeyInvocationsMax).toBe(3_865_470_566);
    peer.core.policy = { ...CACHED, maxUses: 1e12 };
    const limited = await start('limited', { subkeyInvocationsMax: 10 });
    const records: string[] = [];
    const seal = async (items: number): Promise<void> => {
      const batch = Array.from({ length: items }, () => ({ plaintext: PLAIN }));
      const answer =
        items === 1
          ? await post('acme', 'encrypt', batch[0]!, { of: limited })
          : await post('acme', 'encrypt-batch', { items: batch }, { of: limited });
      expect(answer.status).toBe(200);
      const sealed = (answer.body['items'] ?? [answer.body]) as { ciphertext: string }[];
      records.push(...sealed.map(({ ciphertext }) => ciphertext));
    };
    try {
      await seal(1);
      await peer.close();
      await until(() => !limited.status().core.connected);
      // Reading what one data key sealed is no invocation of it: it still seals ten.
      for (const ciphertext of Array.from({ length: 12 }, () => records[0]))
        await post('acme', 'decrypt', { ciphertext }, { of: limited });
      for (const items of [7, 1, 1, 25, 3, 2]) await seal(items);
      const salts = records.map((each) => saltOf(each));
      expect(salts).toHaveLength(40);
      for (const at of [0, 10, 20, 30])
        expect(new Set(salts.slice(at, at + 10))).toEqual(new Set([salts[at]]));
      expect(new Set(salts).size).toBe(4);
      const opened = await post(
        'acme',
        'decrypt-batch',
        { items: records.map((ciphertext) => ({ ciphertext })) },
        { of: limited },
      );
      expect(opened.body['items']).toEqual(records.map(() => ({ plaintext: PLAIN })));
    } finally {
      await limited.stop();
    }
  });

  it('an Edge that has never reached it is not ready', async () => {
    const { port } = peer;
    await edge.stop();
    await peer.close();
    edge = await startEdge({
      coreHost: '127.0.0.1',
      corePort: port,
      ...certificate,
      edge: 'e1',
      region: 'local',
      services: ['billing'],
      socketDir: join(folder, 'edge'),
    });
    expect(await get('/readyz')).toMatchObject({
      status: 503,
      body: {
        status: 'unavailable',
        reasons: [{ level: 'unavailable', code: 'core_unreachable' }],
      },
    });
    const refused = await post('acme', 'encrypt', { plaintext: PLAIN });
    expect(refused.body['code']).toBe('lease_expired');
  });

  it('a Core that is not the region’s is not believed', async () => {
    const impostor = await startEdge({
      coreHost: '127.0.0.1',
      corePort: peer.port,
      ...certificate,
      edge: 'e1',
      region: 'elsewhere',
      services: ['billing'],
      socketDir: join(folder, 'other'),
      log: (entry) => logged.push(entry),
    });
    await until(() => logged.some(({ detail }) => detail?.includes('kcm://region/elsewhere/core')));
    expect(impostor.status().core.connected).toBe(false);
    await impostor.stop();
  });
});

describe('An answer of Core that cannot be right', () => {
  it.each<[string, string, ReturnType<typeof attribute.text>]>([
    ['a lease without an end', 'Lease Time', attribute.integer('Lease Time', 0)],
    ['another epoch inside the wrap', KCM.epoch, attribute.long(KCM.epoch, 7)],
    ['another tenant', 'Object Group', attribute.text('Object Group', 'globex')],
    ['another version', KCM.version, attribute.integer(KCM.version, 2)],
    ['another key inside the wrap', 'inside', attribute.text('inside', 'globex/l3-000000000000/1')],
    ['an unknown access', KCM.access, attribute.text(KCM.access, 'sure')],
  ])('%s gives no lease and an alarm', async (_what, name, lie) => {
    peer.lies.set(name, lie);
    const refused = await post('acme', 'encrypt', { plaintext: PLAIN });
    expect([refused.status, refused.body['code']]).toEqual([503, 'lease_expired']);
    expect(edge.status().counters.alarms).toBe(1);
  });
});

describe('A Core that has gone back', () => {
  const reasons = async () => (await get('/readyz')).body['reasons'];
  const served = async () => (await post('acme', 'encrypt', { plaintext: PLAIN })).status === 200;

  it('is told in readiness while its answers are refused as stale, and no more once one is taken', async () => {
    const acme = peer.core.tenants.get('acme')!;
    acme.epoch = 5;
    await sealed();
    await suspend();
    acme.denied = null;
    acme.epoch = 4;
    const refused = await post('acme', 'encrypt', { plaintext: PLAIN });
    expect([refused.status, refused.body['code']]).toEqual([503, 'lease_expired']);
    expect(await get('/readyz')).toMatchObject({
      status: 200,
      body: {
        status: 'degraded',
        // A machine under load may disturb the clock besides.
        reasons: expect.arrayContaining([
          expect.objectContaining({
            dependency: 'core',
            level: 'degraded',
            code: 'stale_answers',
            detail: expect.stringContaining('1 tenant'),
          }),
        ]),
      },
    });
    acme.epoch = 6;
    await until(served);
    expect(JSON.stringify(await reasons())).not.toContain('stale_answers');
  });
});

describe('A renewed certificate', () => {
  it('is what Core sees from then on, and costs no lease', async () => {
    const ciphertext = await sealed();
    const asked = { ...peer.core.asked };
    await until(() => peer.statements.length === 1);
    const next = await authority.edge('e1');
    peer.edgeCertificate = next.certificate;
    edge.renew(next);
    await until(() => logged.filter(({ event }) => event === 'core-connected').length === 2);
    expect((await post('acme', 'decrypt', { ciphertext })).body['plaintext']).toBe(PLAIN);
    expect(peer.core.asked).toEqual(asked);
    // Signed with the new key: the peer verifies it with the new certificate.
    await sealed();
    await until(() => peer.statements.length > 1);
  });
});

describe('Usage', () => {
  it('is reported signed, counted by version, operation and code, and chained', async () => {
    const ciphertext = await sealed();
    await post('acme', 'decrypt', { ciphertext, context: { wrong: '1' } });
    await until(() => peer.statements.some(({ kind }) => kind === KCM.usage));
    await sealed();
    await until(() => peer.statements.filter(({ kind }) => kind === KCM.usage).length > 1);
    const reports = peer.statements
      .filter(({ kind }) => kind === KCM.usage)
      .map(({ payload }) => payload as { seq: number; previous: string; entries: object[] });
    expect(reports.map(({ seq }) => seq)).toEqual(reports.map((_report, at) => at + 1));
    expect(reports[0]!.previous).toBeNull();
    expect(reports[1]!.previous).toMatch(/^[0-9a-f]{64}$/);
    const key = peer.core.keyOf('acme', 'billing');
    const entries = reports.flatMap((report) => report.entries);
    expect(entries).toContainEqual({
      tenant: 'acme',
      key,
      version: 1,
      operation: 'decrypt',
      ok: 0,
      refused: { decryption_failed: 1 },
      bytes: 0,
    });
    expect(entries).toContainEqual(
      expect.objectContaining({ operation: 'encrypt', ok: 1, bytes: 9, refused: {} }),
    );
  });

  it('that Core refuses for what it is keeps no later report back; what is unheard comes again', async () => {
    peer.refuses.push(ResultReason.GeneralFailure, ResultReason.InvalidField);
    await sealed();
    await until(() => peer.statements.length === 2);
    await sealed();
    await until(() => peer.statements.length === 3);
    const [first, again, next] = peer.statements.map(({ payload }) => payload as { seq: number });
    expect(again).toEqual(first);
    expect([first!.seq, next!.seq]).toEqual([1, 2]);
    expect(logged).toContainEqual(expect.objectContaining({ level: 'error', event: 'alarm' }));
  });
});
