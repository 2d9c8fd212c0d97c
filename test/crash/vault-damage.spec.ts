import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FIGURES } from '@kcm/testing/figures';
import { openSqliteBlobStore } from '@kcm/vault/sqlite';
import { say, Seeded, seedOf } from '../support/seeded.js';
import { removeFolder, scratchFolder } from '../support/server.js';

describe('a damaged vault file', () => {
  const seed = seedOf();
  const draw = new Seeded(seed);
  let folder: string;
  /** The file as a clean stop left it. */
  let whole: string;
  const stored = new Map<string, Buffer>();

  beforeAll(async () => {
    say(`seed ${seed}`);
    folder = scratchFolder('vault-damage');
    whole = join(folder, 'whole.db');
    const store = await openSqliteBlobStore({ file: whole, role: 'vault' });
    for (let n = 0; n < 40; n += 1) {
      const bytes = Buffer.alloc(draw.between(32, 6_000));
      for (let at = 0; at < bytes.length; at += 1) bytes[at] = draw.between(0, 255);
      stored.set(`l2/t${n % 7}/k/${n}`, bytes);
    }
    for (const [key, bytes] of stored) await store.put(key, bytes);
    await store.close();
  });
  afterAll(() => removeFolder(folder));

  const flipped = (at: number): string => {
    const file = join(folder, 'vault.db');
    const bytes = readFileSync(whole);
    bytes[at]! ^= 1 << draw.between(0, 7);
    writeFileSync(file, bytes);
    return file;
  };
  /** How many blobs were refused; every other one must be what was put. */
  const readAll = async (store: Awaited<ReturnType<typeof openSqliteBlobStore>>, file: string) => {
    let refused = 0;
    for (const [key, bytes] of stored)
      try {
        expect(await store.get(key)).toEqual(bytes);
      } catch (error) {
        refused += 1;
        expect(error).toMatchObject({ code: 'integrity' });
        expect((error as Error).message).toContain(`${file}: the blob ${key} is damaged`);
      }
    return refused;
  };

  it('is refused at the start or at the blob, by file and path: no changed byte is ever an answer', async () => {
    const size = readFileSync(whole).length;
    const found = { start: 0, use: 0, nowhere: 0 };
    const told: string[] = [];
    for (let n = 0; n < FIGURES.vaultFlips; n += 1) {
      // Every fourth in the header and the schema, where few bytes of a file are.
      const file = flipped(n % 4 === 0 ? draw.between(0, 120) : draw.between(0, size - 1));
      try {
        const store = await openSqliteBlobStore({
          file,
          role: 'vault',
          onDamaged: ({ message }) => told.push(message),
        });
        try {
          found[(await readAll(store, file)) > 0 ? 'use' : 'nowhere'] += 1;
          expect(await store.list('')).toEqual([...stored.keys()].sort());
        } finally {
          await store.close();
        }
      } catch (error) {
        if ((error as { matcherResult?: unknown }).matcherResult !== undefined) throw error;
        found.start += 1;
        expect(error).toMatchObject({ code: 'integrity' });
        expect((error as Error).message).toContain(file);
      }
    }
    say(`${FIGURES.vaultFlips} bytes flipped: ${JSON.stringify(found)}`);
    expect(found.start).toBeGreaterThan(0);
    expect(found.use).toBeGreaterThan(0);
    expect(told.length).toBeGreaterThanOrEqual(found.use);
  }, 120_000);

  it('that is damaged under the running server is found by the next reader of the blob', async () => {
    let refused = 0;
    for (let n = 0; n < FIGURES.vaultFlipsWhileOpen; n += 1) {
      const file = join(folder, 'vault.db');
      copyFileSync(whole, file);
      const store = await openSqliteBlobStore({ file, role: 'vault' });
      try {
        flipped(draw.between(8_192, readFileSync(whole).length - 1));
        refused += await readAll(store, file);
      } finally {
        await store.close();
      }
    }
    expect(refused).toBeGreaterThan(0);
  }, 120_000);

  it('of an earlier release, whose blobs have no checksum, gets them at its first start', async () => {
    const file = join(folder, 'earlier.db');
    copyFileSync(whole, file);
    const db = new DatabaseSync(file);
    db.exec('ALTER TABLE blobs DROP COLUMN checksum; PRAGMA user_version = 1;');
    db.close();
    const store = await openSqliteBlobStore({ file, role: 'vault' });
    expect(await readAll(store, file)).toBe(0);
    await store.close();
    const read = new DatabaseSync(file, { readOnly: true });
    const sql = 'SELECT count(*) AS n FROM blobs WHERE checksum IS NOT NULL';
    expect(read.prepare(sql).get()).toEqual({ n: stored.size });
    read.close();
  });
});
