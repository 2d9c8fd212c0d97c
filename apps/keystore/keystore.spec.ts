import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningKeystore, startKeystore } from './index.js';

type Json = Record<string, unknown>;
const BINDING = { tenant: 'acme', key: 'l2-1', version: 1 };
const SEED = Buffer.alloc(32, 7).toString('base64');

describe('the customer’s own keystore', () => {
  let folder: string;
  let keystore: RunningKeystore;
  let now = Date.parse('2026-01-01T00:00:00Z');
  const clock = { wallMs: () => now, monotonicMs: () => 0, bootMs: () => 0 };
  const start = async () => {
    keystore = await startKeystore({ folder, port: 0, clock });
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kcm-ks-'));
    await start();
  });
  afterEach(async () => {
    await keystore.close();
    await rm(folder, { recursive: true });
  });

  const send = async (token: string, path: string, body?: Json | string) => {
    const answer = await fetch(`${keystore.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'x-correlation-id': 'call-1' },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const json = (await answer.json()) as Json;
    return { status: answer.status, id: answer.headers.get('x-request-id'), ...json } as Json;
  };
  const admin = (path: string, body?: Json) =>
    send(keystore.adminToken, `/admin/keys${path}`, body);
  const create = async (name: string) => {
    const { token, ...key } = await admin('', { name });
    return { ...key, token: String(token) } as Json & { token: string };
  };
  const wrap = (token: string, key: string) =>
    send(token, `/v1/keys/${key}/wrap`, { plaintext: SEED, binding: BINDING });

  it('keeps keys, tokens and its own id over a restart', async () => {
    const { token } = await create('root');
    const before = await send(token, '/v1/keys/root');
    const { ciphertext } = await wrap(token, 'root');
    await keystore.close();
    await start();
    expect(await send(token, '/v1/keys/root')).toMatchObject({ keystoreId: before['keystoreId'] });
    const body = { ciphertext: String(ciphertext), binding: BINDING };
    expect(await send(token, '/v1/keys/root/unwrap', body)).toMatchObject({ plaintext: SEED });
  });

  it('rotates a key that is enabled; a deletion takes every version', async () => {
    const { token } = await create('root');
    const { ciphertext } = await wrap(token, 'root');
    expect(await admin('/root/rotate', {})).toMatchObject({ status: 200, version: 2 });
    expect(await wrap(token, 'root')).toMatchObject({ version: 2 });
    const unwrapped = (blob: unknown) =>
      send(token, '/v1/keys/root/unwrap', { ciphertext: String(blob), binding: BINDING });
    expect(await unwrapped(ciphertext)).toMatchObject({ plaintext: SEED, version: 1 });
    const bytes = Buffer.from(String(ciphertext), 'base64');
    for (const version of [0, 2, 3, 2 ** 32 - 1]) {
      bytes.writeUInt32BE(version, 17);
      expect(await unwrapped(bytes.toString('base64'))).toMatchObject({
        error: 'integrity_failed',
      });
    }
    await admin('/root/disable', {});
    expect(await admin('/root/rotate', {})).toMatchObject({ error: 'key_disabled' });
    await admin('/root/delete', { immediate: true });
    const [file] = await readdir(join(folder, 'keys'));
    const record = JSON.parse(await readFile(join(folder, 'keys', file!), 'utf8')) as Json;
    expect(record).toMatchObject({ state: 'deleted', material: null });
    expect(record).not.toHaveProperty('earlier');
  });

  it('leaves nothing in its folder that another user can read', async () => {
    await create('root');
    for (const name of await readdir(folder, { recursive: true })) {
      const { mode } = await stat(join(folder, name));
      expect([name, (mode & 0o077).toString(8)]).toEqual([name, '0']);
    }
  });

  it('never writes an access token down', async () => {
    const { token } = await create('root');
    await wrap(token, 'root');
    for (const name of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (name.isFile())
        expect(await readFile(join(name.parentPath, name.name), 'utf8')).not.toContain(token);
  });

  it('gives a token its own key and nothing else', async () => {
    const mine = await create('mine');
    await create('other');
    expect(await wrap(mine.token, 'other')).toMatchObject({ status: 403, error: 'forbidden' });
    expect(await wrap(mine.token, 'none')).toMatchObject({ status: 404, error: 'key_not_found' });
    expect(await wrap('kst_x', 'mine')).toMatchObject({ status: 401, error: 'unauthenticated' });
    expect(await send(mine.token, '/admin/keys')).toMatchObject({ status: 401 });
    expect(await send(keystore.adminToken, '/v1/keys/mine')).toMatchObject({ status: 401 });
  });

  it('schedules a deletion, takes it back on enable, and destroys the key when it is due', async () => {
    const { token, id } = await create('root');
    expect(await admin('/root/delete', { days: 3 })).toMatchObject({ state: 'pending-deletion' });
    expect(await wrap(token, 'root')).toMatchObject({ status: 409, error: 'key_pending_deletion' });
    await admin('/root/enable', {});
    expect(await wrap(token, 'root')).toMatchObject({ status: 200 });
    await admin('/root/delete', { days: 3 });
    now += 3 * 86_400_000;
    expect(await wrap(token, 'root')).toMatchObject({ status: 410, error: 'key_deleted' });
    expect(await admin('/root/enable', {})).toMatchObject({ status: 410 });
    const file = await readFile(join(folder, 'keys', `${String(id)}.json`), 'utf8');
    expect(JSON.parse(file)).toMatchObject({ state: 'deleted', material: null });
  });

  it('withdraws one token and leaves the others', async () => {
    const first = await create('root');
    const second = await admin('/root/tokens', { label: 'other' });
    await admin('/root/withdraw', { tokenId: first['tokenId'] });
    expect(await wrap(first.token, 'root')).toMatchObject({ error: 'access_withdrawn' });
    expect(await wrap(String(second['token']), 'root')).toMatchObject({ status: 200 });
  });

  it('writes who did what to its audit file before it answers', async () => {
    const { token, id } = await create('root');
    const { id: requestId } = await send(token, '/v1/keys/root/unwrap', {
      ciphertext: 'AAAA',
      binding: BINDING,
    });
    const lines = (await readFile(join(folder, 'audit.jsonl'), 'utf8')).trim().split('\n');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({
      requestId,
      callId: 'call-1',
      traceId: null,
      operation: 'unwrap',
      key: 'root',
      keyId: id,
      binding: BINDING,
      outcome: 'integrity_failed',
      identity: expect.stringMatching(/^token openkcm /),
    });
  });

  it.each([
    ['no JSON', '/v1/keys/root/wrap', '{', 400],
    ['a list', '/v1/keys/root/wrap', '[]', 400],
    ['no binding', '/v1/keys/root/wrap', '{"plaintext":"AAAA"}', 400],
    ['base64 that is none', '/v1/keys/root/wrap', '{"plaintext":"A*","binding":{}}', 400],
    ['a path that climbs', '/v1/keys/..%2f..%2fx/wrap', '{}', 400],
    ['a broken escape', '/v1/keys/%E0%A4%A/wrap', '{}', 400],
    ['an unknown route', '/v1/nothing', '{}', 404],
    ['too much', '/v1/keys/root/wrap', `{"plaintext":"${'A'.repeat(100_000)}"}`, 413],
  ])('answers %s with a refusal and goes on', async (_, path, body, status) => {
    const { token } = await create('root');
    expect(await send(token, path, body)).toMatchObject({ status });
    expect(await wrap(token, 'root')).toMatchObject({ status: 200 });
  });

  it('survives bytes that are no HTTP', async () => {
    const { hostname, port } = new URL(keystore.url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.end('\0\0\0\r\n\r\n'));
      socket.on('close', () => resolve()).resume();
    });
    expect(await admin('')).toMatchObject({ status: 200, items: [] });
  });

  it('loses no change when many come at once', async () => {
    await create('root');
    await Promise.all(Array.from({ length: 20 }, () => admin('/root/tokens', { label: 'many' })));
    const { items } = (await admin('')) as { items: { access: unknown[] }[] };
    expect(items[0]!.access).toHaveLength(21);
  });
});
