import { verify } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { ed25519PublicFromRaw } from '@kcm/crypto';
import {
  type Checkpoint,
  GrowingTree,
  leafOf,
  openNote,
  parseCheckpoint,
  verifyConsistency,
  verifyInclusion,
} from '@kcm/transparency';
import { eventsOf } from '../crash/ledger-audit.js';
import { type Api, Region, Stage, until } from '../support/index.js';

jest.setTimeout(60_000);

interface Proof {
  readonly log: string;
  readonly index: number;
  readonly leaf: string;
  readonly path: readonly string[];
  readonly checkpoint: string;
}
const LOG = '/v1/log/local';
const bytes = (hashes: readonly string[]) => hashes.map((hash) => Buffer.from(hash, 'base64'));

describe('The transparency log', () => {
  const stage = new Stage();
  const region = new Region(stage);
  let reader: Api;
  /** What a verifier has of the region: the key of trust.json, and nothing else. */
  let pinned: Buffer;
  const seen: Checkpoint[] = [];

  const opened = (note: string): Checkpoint => {
    const name = note.split('\n', 1)[0]!;
    const text = openNote(note, { name, publicKey: pinned }, (key, message, signature) =>
      verify(null, message, ed25519PublicFromRaw(key), signature),
    );
    const checkpoint = text === null ? null : parseCheckpoint(text);
    expect(checkpoint).not.toBeNull();
    return checkpoint!;
  };
  const checkpoint = async () => opened(await reader.read<string>(`${LOG}/checkpoint`));
  const register = async (id: string): Promise<void> => {
    const { size } = await checkpoint();
    await region.operator.command('/v1/tenants', { id, name: id });
    seen.push(
      await until('a new leaf', 10_000, async () => {
        const now = await checkpoint();
        return now.size > size ? now : null;
      }),
    );
  };
  beforeAll(async () => {
    await region.start();
    reader = region.as(await region.server.tokenFor(null, ['platform-auditor'], 'reader'));
    await region.operator.command('/v1/tenants', { id: 'acme', name: 'acme' });
    const trust = await reader.read<{ signing: { x: string } }>('/v1/tenants/acme/trust');
    pinned = Buffer.from(trust.signing.x, 'base64url');
    for (const id of ['globex', 'initech', 'umbrella']) await register(id);
  });
  afterAll(() => stage.close());

  it('proves each event under its signed checkpoint, as the ledger has it', async () => {
    await region.stop();
    const events = await eventsOf(region.data);
    await region.start();
    for (const event of events) {
      const proof = await reader.read<Proof>(`${LOG}/proof?event=${event.id}`);
      const { origin, size, root } = opened(proof.checkpoint);
      expect(proof).toMatchObject({ log: origin, leaf: leafOf(event).toString('base64') });
      const claim = { index: proof.index, size, leaf: leafOf(event), root };
      expect(verifyInclusion({ ...claim, path: bytes(proof.path) })).toBe(true);
      expect(events[proof.index]?.id).toBe(event.id);
    }
  });

  it('has what a command has just recorded, for who sends its token back', async () => {
    for (const id of ['hooli', 'wonka', 'stark']) {
      const { size } = await checkpoint();
      const made = await region.operator.post('/v1/tenants', { id, name: id });
      const token = { 'kcm-token': String(made.headers['kcm-token']) };
      const { status, body } = await reader.get<string>(`${LOG}/checkpoint`, token);
      expect([made.status, status]).toEqual([201, 200]);
      expect(opened(body).size).toBeGreaterThan(size);
    }
  });

  it('is read in tiles, of which the root that was signed is made', async () => {
    const { size, root } = await checkpoint();
    const token = await region.server.tokenFor('acme', ['auditor'], 'monitor');
    const ask = (path: string, method = 'GET') =>
      fetch(`${region.server.url}${LOG}/tile/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
      });
    const part = await ask(`0/000.p/${size}`);
    expect([
      part.status,
      part.headers.get('content-type'),
      part.headers.get('cache-control'),
    ]).toEqual([200, 'application/octet-stream', 'no-store']);
    const leaves = Buffer.from(await part.arrayBuffer());
    const tree = new GrowingTree();
    for (let at = 0; at < leaves.length; at += 32) tree.append(leaves.subarray(at, at + 32));
    expect([tree.size, tree.root()]).toEqual([size, root]);
    // Longer than the log, or no way to write a tile: like what does not exist.
    for (const other of [
      '0/000',
      '0/001',
      '0/0',
      'none',
      '0/000.p/1/2',
      '%2e%2e%2fproof',
      '0/%2e/000',
      '0//000',
    ])
      expect([other, (await ask(other)).status]).toEqual([other, 404]);
    const refused = await ask('0/000.p/1', 'POST');
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await fetch(`${region.server.url}${LOG}/tile/0/000.p/1`)).status).toBe(401);
  });

  it('only grows: what was signed before is the beginning of what is signed now', async () => {
    const second = await checkpoint();
    for (const first of seen) {
      const query = `from=${first.size}&to=${second.size}`;
      const { path } = await reader.read<Proof>(`${LOG}/consistency?${query}`);
      expect(first.origin).toBe(second.origin);
      expect(verifyConsistency({ first, second, path: bytes(path) })).toBe(true);
    }
  });

  it('is built again when its file is gone, and has the roots that were signed', async () => {
    const before = await checkpoint();
    await region.stop();
    for (const end of ['', '-wal', '-shm'])
      rmSync(join(region.data, `log.db${end}`), { force: true });
    await region.start();
    const second = await until('the rebuilt log', 10_000, async () => {
      const { status } = await reader.get(`${LOG}/checkpoint`);
      const now = status === 200 ? await checkpoint() : null;
      return now !== null && now.size >= before.size ? now : null;
    });
    for (const first of [...seen, before]) {
      const query = `from=${first.size}&to=${second.size}`;
      const { path } = await reader.read<Proof>(`${LOG}/consistency?${query}`);
      expect(verifyConsistency({ first, second, path: bytes(path) })).toBe(true);
    }
  });

  it.each([
    ['/v1/log/elsewhere/checkpoint', 404, 'not_found'],
    [`${LOG}/proof`, 400, 'invalid_request'],
    [`${LOG}/proof?event=none`, 404, 'not_found'],
    [`${LOG}/proof?event=a%2Fb`, 400, 'invalid_request'],
    [`${LOG}/consistency?from=0&to=1`, 400, 'invalid_request'],
    [`${LOG}/consistency?from=2&to=1`, 400, 'invalid_request'],
    [`${LOG}/consistency?from=1&to=999999999`, 400, 'invalid_request'],
    [`${LOG}/consistency?from=1.5&to=2`, 400, 'invalid_request'],
  ])('%s is answered with %d %s', async (path, status, code) => {
    expect(await reader.get(path)).toMatchObject({ status, code });
  });
});
