import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256Hex } from '@kcm/crypto';
import { attribute, KCM, LinkType, State } from '@kcm/kmip';
import { askSocket, KmipPeer, type SocketAnswer } from '@kcm/testing/edge';
import { TestAuthority, type TestCertificate } from '@kcm/testing/tls';
import { startEdge } from './edge.js';
import type { EdgeLogEntry, RunningEdge } from './running-edge.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const b64 = (text: string): string => Buffer.from(text).toString('base64');

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
  folder = mkdtempSync(join(tmpdir(), 'kcm-data-keys-'));
  logged = [];
  peer = await KmipPeer.listen(authority, certificate.certificate);
  for (const service of ['billing', 'mail']) peer.core.add('acme', service).exports = true;
  peer.core.add('globex', 'billing').exports = true;
  edge = await startEdge({
    coreHost: '127.0.0.1',
    corePort: peer.port,
    ...certificate,
    edge: 'e1',
    region: 'local',
    services: ['billing', 'mail'],
    socketDir: join(folder, 'edge'),
    log: (entry) => logged.push(entry),
    usageWindowMs: 60_000,
  });
});
afterEach(async () => {
  await edge.stop();
  await peer.close();
  rmSync(folder, { recursive: true });
});

const post = (
  verb: string,
  body: object,
  { tenant = 'acme', service = 'billing' } = {},
): Promise<SocketAnswer> =>
  askSocket(edge.sockets[service]!, 'POST', `/v1/tenants/${tenant}/${verb}`, body);
const given = async (verb: string, body: object): Promise<Record<string, string>> => {
  const answer = await post(verb, body);
  expect([verb, answer.status, answer.text]).toEqual([verb, 200, answer.text]);
  return answer.body as Record<string, string>;
};
const refused = async (verb: string, body: object, at = {}): Promise<unknown> => {
  const { status, body: said } = await post(verb, body, at);
  return [status, said['code']];
};
/** A newer version, which Core tells of. */
const rotate = async (): Promise<void> => {
  const uid = (version: number) => `acme/${peer.core.keyOf('acme', 'billing')}/${version}`;
  peer.core.rotate('acme', 'billing');
  await peer.notify(uid(1), [
    attribute.link(LinkType.ReplacementObjectLink, uid(2)),
    attribute.text(KCM.access, 'open'),
    attribute.long(KCM.term, 1),
    attribute.long(KCM.epoch, 1),
  ]);
  while (!edge.status().leases.some(({ keyVersion }) => keyVersion === 2))
    await new Promise((resolve) => setTimeout(resolve, 5));
};
interface Entry {
  readonly version: number;
  readonly operation: string;
  readonly ok: number;
  readonly refused: Record<string, number>;
  readonly moved?: readonly string[];
}
/** What the Edge told Core it did, once it has stopped. */
const told = async (): Promise<string[]> => {
  await edge.stop();
  const reports = peer.statements.filter(({ kind }) => kind === KCM.usage);
  const entries = reports.flatMap(
    ({ payload }) => (payload as unknown as { entries: Entry[] }).entries,
  );
  return entries.map(({ version, operation, ok, refused: codes, moved }) =>
    [`v${version} ${operation} ${ok}`, ...Object.keys(codes), ...(moved ?? [])].join(' '),
  );
};
const movedId = (sealed: string): string =>
  Buffer.from(sha256Hex(Buffer.from(sealed, 'base64')), 'hex').toString('base64url', 0, 8);

describe('A data key', () => {
  it('is 32 random bytes, and comes back from its wrapped form by its own context alone', async () => {
    const context = { table: 'cards' };
    const made = await given('data-keys', { context });
    expect(made).toEqual({
      id: expect.stringMatching(UUID),
      plaintext: expect.any(String),
      wrapped: expect.any(String),
      keyVersion: 1,
      grantId: expect.stringMatching(/^grant-/),
      expiresAt: expect.stringMatching(/Z$/),
    });
    const { id, plaintext, wrapped } = made as Record<'id' | 'plaintext' | 'wrapped', string>;
    expect(Buffer.from(plaintext, 'base64')).toHaveLength(32);
    const leftMs = Date.parse(made['expiresAt']!) - Date.now();
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(60_000);
    const read = await given('data-keys/unwrap', { wrapped, context });
    expect(read).toEqual({ id, plaintext, expiresAt: expect.any(String) });
    expect(await refused('data-keys/unwrap', { wrapped })).toEqual([400, 'decryption_failed']);
    const other = await given('data-keys', { context });
    expect(other['plaintext']).not.toBe(plaintext);
    expect(other['id']).not.toBe(id);
    expect(await told()).toEqual(
      expect.arrayContaining(['v1 dataKey 2', 'v1 dataKeyUnwrap 1 decryption_failed']),
    );
  });

  it('is of its tenant and service, and neither a record nor made of one', async () => {
    const { wrapped } = await given('data-keys', {});
    const { ciphertext } = await given('encrypt', { plaintext: b64('x'.repeat(32)) });
    const flipped = Buffer.from(wrapped!, 'base64');
    flipped[flipped.length - 1]! ^= 1;
    const answers = [
      await post('data-keys/unwrap', { wrapped }, { tenant: 'globex' }),
      await post('data-keys/unwrap', { wrapped }, { service: 'mail' }),
      await post('data-keys/unwrap', { wrapped: flipped.toString('base64') }),
      await post('data-keys/unwrap', { wrapped: ciphertext }),
      await post('data-keys/unwrap', { wrapped: b64('nothing at all') }),
      await post('data-keys/rewrap', { wrapped }, { tenant: 'globex' }),
      await post('data-keys/rewrap', { wrapped: flipped.toString('base64') }),
      await post('data-keys/rewrap', { wrapped: ciphertext }),
      await post('decrypt', { ciphertext: wrapped }),
      await post('rewrap', { ciphertext: wrapped }),
    ].map(({ body }) => ({ ...body, correlationId: '' }));
    expect(answers[0]).toMatchObject({ status: 400, code: 'decryption_failed' });
    expect(answers).toEqual(answers.map(() => answers[0]));
  });

  it('is given out only while the tenant allows it, whatever it is asked with', async () => {
    const { wrapped } = await given('data-keys', {});
    const acme = peer.core.tenants.get('acme')!;
    acme.exports = false;
    await peer.notify('acme/l2-0123456789ab/1', [
      attribute.text(KCM.access, 'open'),
      attribute.long(KCM.term, 1),
      attribute.long(KCM.epoch, 1),
    ]);
    const not = [403, 'export_not_allowed'];
    expect(await refused('data-keys', {})).toEqual(not);
    expect(await refused('data-keys/unwrap', { wrapped })).toEqual(not);
    expect(await refused('data-keys/unwrap', { wrapped, rewrap: true })).toEqual(not);
    expect(await refused('data-keys/unwrap', { wrapped: b64('nothing') })).toEqual(not);
    // Which shows nothing.
    expect(await given('data-keys/rewrap', { wrapped })).toMatchObject({ wrapped, keyVersion: 1 });
    expect(await refused('data-keys', {}, { tenant: 'nobody' })).toEqual([404, 'not_found']);
    expect(await told()).toEqual(
      expect.arrayContaining([
        'v1 dataKey 1 export_not_allowed',
        'v1 dataKeyUnwrap 0 export_not_allowed',
      ]),
    );
  });

  it('is not given out on a lease that does not say that it may be', async () => {
    peer.lies.set(KCM.export, attribute.text(KCM.export, 'yes'));
    expect(await refused('data-keys', {})).toEqual([403, 'export_not_allowed']);
  });

  it('names each wrong field of what is asked', async () => {
    for (const [verb, body, path] of [
      ['data-keys', { context: 1 }, 'context'],
      ['data-keys', { bytes: 16 }, 'bytes'],
      ['data-keys/unwrap', {}, 'wrapped'],
      ['data-keys/unwrap', { wrapped: 'AAAA', rewrap: 'yes' }, 'rewrap'],
      ['data-keys/rewrap', { wrapped: 'AAAA', rewrap: true }, 'rewrap'],
      ['rewrap', { ciphertext: '*' }, 'ciphertext'],
      ['encrypt', { plaintext: 'AAAA', rewrap: true }, 'rewrap'],
      ['rewrap-batch', { items: [] }, 'items'],
    ] as const) {
      const answer = await post(verb, body);
      expect([verb, answer.status, answer.body['errors']]).toEqual([
        verb,
        400,
        [expect.objectContaining({ path })],
      ]);
    }
  });
});

describe('After a rotation', () => {
  it('a data key is moved to the newest version and keeps what it is; nothing shows it', async () => {
    const made = await given('data-keys', { context: { a: '1' } });
    await rotate();
    const asked = { wrapped: made['wrapped'], context: { a: '1' } };
    const moved = await post('data-keys/rewrap', asked);
    expect(moved.body).toMatchObject({ keyVersion: 2, wrapped: expect.any(String) });
    expect(moved.body['wrapped']).not.toBe(made['wrapped']);
    const again = await post('data-keys/rewrap', asked);
    const key = Buffer.from(made['plaintext']!, 'base64');
    const shown = JSON.stringify([moved.text, moved.headers, again.text, logged, edge.status()]);
    for (const form of ['base64', 'base64url', 'hex', 'latin1'] as const)
      expect(shown).not.toContain(key.toString(form).replaceAll('=', ''));
    const read = await given('data-keys/unwrap', { ...asked, wrapped: moved.body['wrapped'] });
    expect(read).toEqual({
      id: made['id'],
      plaintext: made['plaintext'],
      expiresAt: expect.any(String),
    });
    const current = { ...asked, wrapped: moved.body['wrapped'] };
    expect((await post('data-keys/rewrap', current)).body).toMatchObject({
      wrapped: current.wrapped,
      keyVersion: 2,
    });
    const id = movedId(made['wrapped']!);
    expect(await told()).toEqual(
      expect.arrayContaining([
        'v1 dataKey 1',
        `v1 rewrapFrom 2 ${id}`,
        'v2 rewrapTo 2',
        'v2 dataKeyUnwrap 1',
        'v2 rewrapFrom 1',
      ]),
    );
  });

  it('a record is moved, alone and in a batch, and opens as before', async () => {
    const sealed: string[] = [];
    for (const text of ['one', 'two', 'three'])
      sealed.push((await given('encrypt', { plaintext: b64(text) }))['ciphertext']!);
    await rotate();
    const moved = await given('rewrap', { ciphertext: sealed[0] });
    expect(moved).toEqual({
      ciphertext: expect.any(String),
      keyVersion: 2,
      grantId: expect.any(String),
    });
    expect(await given('decrypt', { ciphertext: moved['ciphertext'] })).toEqual({
      plaintext: b64('one'),
    });
    const items = [{ ciphertext: sealed[1] }, { ciphertext: 'AAAA' }, { ciphertext: sealed[2] }];
    const batch = (await post('rewrap-batch', { items })).body['items'];
    expect(batch).toEqual([
      expect.objectContaining({ keyVersion: 2 }),
      { error: expect.objectContaining({ code: 'decryption_failed' }) },
      expect.objectContaining({ keyVersion: 2 }),
    ]);
    const ids = sealed.map(movedId).join(' ');
    expect(await told()).toEqual(
      expect.arrayContaining([`v1 rewrapFrom 3 ${ids}`, 'v2 rewrapTo 3', 'v2 decrypt 1']),
    );
  });

  it('what is opened says that it is stale, and comes sealed anew for whoever asks', async () => {
    const { ciphertext } = await given('encrypt', { plaintext: b64('one') });
    const { wrapped, plaintext } = await given('data-keys', {});
    expect(await given('decrypt', { ciphertext, rewrap: true })).toEqual({ plaintext: b64('one') });
    await rotate();
    const stale = { keyVersion: 1, stale: true };
    expect(await given('decrypt', { ciphertext })).toEqual({ plaintext: b64('one'), ...stale });
    expect(await given('data-keys/unwrap', { wrapped })).toMatchObject({ plaintext, ...stale });
    const record = await given('decrypt', { ciphertext, rewrap: true });
    const key = await given('data-keys/unwrap', { wrapped, rewrap: true });
    expect(record).toEqual({ plaintext: b64('one'), ...stale, rewrapped: expect.any(String) });
    const again = { ciphertext: record['rewrapped'], rewrap: true };
    expect(await given('decrypt', again)).toEqual({ plaintext: b64('one') });
    const unwrapped = await given('data-keys/unwrap', { wrapped: key['rewrapped'] });
    expect(unwrapped).toMatchObject({ id: key['id'], plaintext });
    expect(unwrapped).not.toHaveProperty('stale');
    // Only what is asked for is said to be moved.
    expect(await told()).toEqual(
      expect.arrayContaining([
        'v1 decrypt 3',
        'v1 dataKeyUnwrap 2',
        `v1 rewrapFrom 2 ${movedId(ciphertext!)} ${movedId(wrapped!)}`,
        'v2 rewrapTo 2',
      ]),
    );
  });

  it('a read-only tenant reads on, and nothing is moved', async () => {
    const { ciphertext } = await given('encrypt', { plaintext: b64('one') });
    const { wrapped, plaintext } = await given('data-keys', {});
    await rotate();
    await given('decrypt', { ciphertext });
    const acme = peer.core.tenants.get('acme')!;
    acme.access = 'readOnly';
    acme.epoch += 1;
    await peer.notify('acme/l2-0123456789ab/1', [
      attribute.text(KCM.access, 'readOnly'),
      attribute.long(KCM.term, acme.term),
      attribute.long(KCM.epoch, acme.epoch),
    ]);
    const stale = { keyVersion: 1, stale: true };
    const asked = { ciphertext, rewrap: true };
    expect(await given('decrypt', asked)).toEqual({ plaintext: b64('one'), ...stale });
    const read = await given('data-keys/unwrap', { wrapped, rewrap: true });
    expect(read).toMatchObject({ plaintext, ...stale });
    expect(read).not.toHaveProperty('rewrapped');
    const readOnly = [403, 'tenant_read_only'];
    expect(await refused('rewrap', { ciphertext })).toEqual(readOnly);
    expect(await refused('data-keys/rewrap', { wrapped })).toEqual(readOnly);
    expect(await refused('data-keys', {})).toEqual(readOnly);
  });

  it('what a compromised version protects is moved off it, and not shown', async () => {
    const { ciphertext } = await given('encrypt', { plaintext: b64('one') });
    const { wrapped, plaintext } = await given('data-keys', {});
    await rotate();
    const key = peer.core.keyOf('acme', 'billing');
    peer.core.stand('acme', 'billing', 1, 'compromised');
    await peer.notify(`acme/${key}/1`, [attribute.enumeration('State', State.Compromised)]);
    const not = [403, 'key_compromised'];
    expect(await refused('decrypt', { ciphertext, rewrap: true })).toEqual(not);
    expect(await refused('data-keys/unwrap', { wrapped, rewrap: true })).toEqual(not);
    const record = await given('rewrap', { ciphertext });
    const dataKey = await given('data-keys/rewrap', { wrapped });
    expect([record['keyVersion'], dataKey['keyVersion']]).toEqual([2, 2]);
    const opened = await given('decrypt', { ciphertext: record['ciphertext'] });
    expect(opened).toEqual({ plaintext: b64('one') });
    const read = await given('data-keys/unwrap', { wrapped: dataKey['wrapped'] });
    expect(read).toMatchObject({ plaintext });
  });
});
