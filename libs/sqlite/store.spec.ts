import { randomBytes, randomUUID } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  FolderLocked,
  lockFolder,
  openStore,
  StoreDamaged,
  StoreFull,
  StoreMoved,
  StoreUnavailable,
  WriteInvalid,
  WriteRefused,
  type SqliteStore,
  type StoreOptions,
} from './index.js';

const SCHEMA = ['CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, body BLOB) STRICT'];
const insert = (name: string, body: Uint8Array | null = null) => ({
  sql: 'INSERT INTO item(name, body) VALUES (?, ?)',
  params: [name, body],
});
const names = (store: SqliteStore): string[] =>
  store.all<{ name: string }>('SELECT name FROM item ORDER BY id').map((row) => row.name);

describe('SqliteStore', () => {
  let folder: string;
  let stores: SqliteStore[];
  const open = async (more: Partial<StoreOptions> = {}): Promise<SqliteStore> => {
    const file = join(folder, 'test.db');
    const store = await openStore({ file, applicationId: 7, migrations: SCHEMA, ...more });
    stores.push(store);
    return store;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-sqlite-'));
    stores = [];
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    rmSync(folder, { recursive: true });
  });

  it('shows a job as soon as it resolved and keeps it over a reopen', async () => {
    const store = await open();
    const written = await store.write([insert('a'), insert('b')]);
    expect(written).toEqual([
      { changes: 1, rowid: 1 },
      { changes: 1, rowid: 2 },
    ]);
    expect(names(store)).toEqual(['a', 'b']);
    await store.close();
    expect(names(await open())).toEqual(['a', 'b']);
  });

  it('tells of what was committed: of no transaction that kept nothing, of no job that was refused', async () => {
    const committed: number[] = [];
    const store = await open({ onCommit: (jobs) => committed.push(jobs) });
    await store.write([insert('a')]);
    await expect(store.write([insert('a')])).rejects.toThrow(WriteRefused);
    await Promise.allSettled([store.write([insert('b')]), store.write([insert('a')])]);
    expect(committed).toEqual([1, 1]);
  });

  it('rolls back only the job that was refused, of those that share a transaction', async () => {
    const store = await open();
    const settled = await Promise.allSettled([
      store.write([insert('a')]),
      store.write([insert('b'), insert('a')]),
      store.write([insert('c')]),
      store.write([{ sql: 'DELETE FROM item WHERE name = ?', params: ['none'], changes: 1 }]),
      store.write([insert('d'), { sql: 'INSERT INTO nowhere VALUES (1)' }]),
      store.write([insert('e')]),
    ]);
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
    const reasons = settled.map((one) => (one.status === 'rejected' ? one.reason : null));
    expect(reasons[1]).toMatchObject({ statement: 1, sqliteCode: 2067 });
    expect(reasons[1]).toBeInstanceOf(WriteRefused);
    expect(reasons[3]).toMatchObject({ statement: 0, sqliteCode: null });
    expect(reasons[4]).toBeInstanceOf(WriteInvalid);
    expect(names(store)).toEqual(['a', 'c', 'e']);
  });

  it('rolls back a refused job that was alone', async () => {
    const store = await open();
    await expect(store.write([insert('a'), insert('a')])).rejects.toThrow(WriteRefused);
    await store.write([insert('b')]);
    expect(names(store)).toEqual(['b']);
  });

  it('keeps order over batches larger than one transaction holds', async () => {
    const store = await open();
    const many = Array.from({ length: 700 }, (_, index) => `n${index}`);
    await Promise.all(many.map((name) => store.write([insert(name)])));
    expect(names(store)).toEqual(many);
  });

  it('goes on with more different texts than it keeps prepared', async () => {
    const store = await open();
    const texts = Array.from({ length: 1100 }, (_, index) => index);
    const write = (index: number) =>
      store.write([
        { sql: `INSERT INTO item(id, name) VALUES (${index}, 'x' || ?)`, params: [index] },
      ]);
    for (let at = 0; at < texts.length; at += 100)
      await Promise.all(texts.slice(at, at + 100).map(write));
    for (const index of texts) store.get(`SELECT ${index}`);
    expect(store.get('SELECT count(*) AS n FROM item')).toEqual({ n: 1100 });
  });

  it('refuses without loss when there is no room, and goes on when there is', async () => {
    const store = await open();
    await store.write([insert('before')]);
    // The limit is the writer connection's own, so it must be set through it.
    await store.write([{ sql: 'PRAGMA max_page_count = 8' }]).catch(() => {});
    const body = randomBytes(64 * 1024);
    const settled = await Promise.allSettled([
      store.write([insert('big', body)]),
      store.write([insert('beside')]),
    ]);
    for (const one of settled)
      expect(one).toMatchObject({ status: 'rejected', reason: expect.any(StoreFull) });
    // It is told to callers: where the file lies is none of theirs.
    expect(String(settled.map((one) => Object(one).reason))).not.toContain(folder);
    expect(names(store)).toEqual(['before']);
    await store.write([insert('big', body)]);
    expect(names(store)).toEqual(['before', 'big']);
  });

  /** Resolves when a write is refused; within a second one may still be taken. */
  const refused = async (store: SqliteStore): Promise<Error> => {
    for (let tries = 0; tries < 60; tries += 1) {
      const failed = await store.write([insert(randomUUID())]).then(
        () => null,
        (error: Error) => error,
      );
      if (failed !== null) return failed;
      await sleep(50);
    }
    throw new Error('every write was taken');
  };

  it.each(['', '-wal'])(
    'acknowledges nothing while its %p file lies elsewhere, and goes on when it is back',
    async (end) => {
      const store = await open();
      await store.write([insert('before')]);
      const path = `${store.file}${end}`;
      renameSync(path, `${path}.away`);
      expect(await refused(store)).toBeInstanceOf(StoreMoved);
      const kept = names(store);
      writeFileSync(path, 'another file of that name');
      await expect(store.write([insert('other')])).rejects.toThrow(StoreMoved);
      await expect(store.truncateLog()).rejects.toThrow(StoreMoved);
      expect(names(store)).toEqual(kept);
      renameSync(`${path}.away`, path);
      await store.write([insert('after')]);
      expect(names(store)).toEqual([...kept, 'after']);
      await store.close();
      expect(names(await open())).toEqual([...kept, 'after']);
    },
  );

  it('makes no new file in place of one that is gone when it opens anew after a failure', async () => {
    const store = await open();
    await store.write([{ sql: 'PRAGMA max_page_count = 8' }]).catch(() => {});
    renameSync(store.file, `${store.file}.away`);
    await store.write([insert('big', randomBytes(64 * 1024))]).catch(() => {});
    await expect(store.write([insert('next')])).rejects.toThrow(StoreMoved);
    expect(existsSync(store.file)).toBe(false);
    renameSync(`${store.file}.away`, store.file);
    await store.write([insert('after')]);
    expect(names(store)).toEqual(['after']);
  });

  it('keeps what was deleted under it open: it can be had from the process', async () => {
    const store = await open();
    await store.write([insert('a')]);
    const saved = join(mkdtempSync(join(folder, 'saved-')), 'saved.db');
    for (const end of ['', '-wal']) rmSync(`${store.file}${end}`);
    await refused(store);
    const kept = names(store);
    for (const fd of readdirSync('/proc/self/fd')) {
      const link = existsSync(`/proc/self/fd/${fd}`) ? readlinkSync(`/proc/self/fd/${fd}`) : '';
      for (const end of ['', '-wal'])
        if (link === `${store.file}${end} (deleted)`)
          copyFileSync(`/proc/self/fd/${fd}`, `${saved}${end}`);
    }
    expect(names(await open({ file: saved }))).toEqual(kept);
  });

  it('leaves no deleted byte in the file or its log once the log is truncated', async () => {
    const store = await open({ secureDelete: true });
    const body = randomBytes(10_000);
    await store.write([insert('secret', body)]);
    const piece = body.subarray(5_000, 5_032);
    const everywhere = () =>
      ['', '-wal'].some((end) => {
        const file = `${store.file}${end}`;
        return existsSync(file) && readFileSync(file).includes(piece);
      });
    // Reading the log through a descriptor of our own is harmless: SQLite's locks are on -shm.
    expect(readFileSync(`${store.file}-wal`).includes(piece)).toBe(true);
    await store.write([{ sql: 'DELETE FROM item' }]);
    await store.truncateLog();
    expect(statSync(`${store.file}-wal`).size).toBe(0);
    await store.close();
    expect(everywhere()).toBe(false);
  });

  it('reads row by row and stops early without holding the log', async () => {
    const store = await open();
    await store.write([insert('a'), insert('b'), insert('c')]);
    const seen: string[] = [];
    for (const { name } of store.each<{ name: string }>('SELECT name FROM item ORDER BY id')) {
      seen.push(name);
      if (name === 'b') break;
    }
    expect(seen).toEqual(['a', 'b']);
    await store.truncateLog();
  });

  it('writes what waits before it closes, and nothing later', async () => {
    const store = await open();
    const writes = [store.write([insert('a')]), store.write([insert('b')])];
    await store.close();
    await Promise.all(writes);
    await expect(store.write([insert('c')])).rejects.toThrow(StoreUnavailable);
    await expect(store.truncateLog()).rejects.toThrow(StoreUnavailable);
    expect(() => store.all('SELECT 1')).toThrow(StoreUnavailable);
    await store.close();
    expect(names(await open())).toEqual(['a', 'b']);
  });

  it('migrates once and refuses a file of another kind or of a newer release', async () => {
    const store = await open();
    await store.write([insert('a')]);
    await store.close();
    const added = [...SCHEMA, "ALTER TABLE item ADD COLUMN kind TEXT NOT NULL DEFAULT 'old'"];
    const second = await open({ migrations: added });
    expect(second.all('SELECT name, kind FROM item')).toEqual([{ name: 'a', kind: 'old' }]);
    await second.close();
    await expect(open()).rejects.toThrow(/newer release/);
    await expect(open({ migrations: added, applicationId: 8 })).rejects.toThrow(/something else/);
    writeFileSync(join(folder, 'other.db'), 'this is a text, not a database'.repeat(40));
    await expect(open({ file: join(folder, 'other.db') })).rejects.toThrow(StoreDamaged);
    expect(names(await open({ migrations: added }))).toEqual(['a']);
  });

  it('says at open which file is damaged', async () => {
    const store = await open();
    for (let index = 0; index < 200; index += 1) await store.write([insert(`name${index}`)]);
    await store.close();
    const copy = join(folder, 'copy.db');
    copyFileSync(store.file, copy);
    const descriptor = openSync(copy, 'r+');
    writeSync(descriptor, 'X', 4096 + 4000);
    closeSync(descriptor);
    await expect(open({ file: copy })).rejects.toThrow(/copy\.db: .*damaged/);
  });

  it('has let go of a file that it refuses, so that the next try finds nobody in it', async () => {
    const other = join(folder, 'other.db');
    writeFileSync(other, randomBytes(8_192));
    await expect(open({ file: other })).rejects.toThrow(StoreDamaged);
    expect(openPaths().filter((path) => path.startsWith(other))).toEqual([]);
    const wrong = join(folder, 'wrong.db');
    await (await open({ file: wrong })).close();
    await expect(open({ file: wrong, applicationId: 8 })).rejects.toThrow(StoreDamaged);
    expect(openPaths().filter((path) => path.startsWith(wrong))).toEqual([]);
  });

  it('says which frame of its log is damaged, where a later one shows that it was synced', async () => {
    const store = await open();
    for (const name of ['a', 'b', 'c']) await store.write([insert(name)]);
    const [db, log] = ['', '-wal'].map((end) => readFileSync(`${store.file}${end}`));
    const frame = 24 + 4096;
    const copyWith = (change: (log: Buffer) => Buffer): Promise<SqliteStore> => {
      const file = join(mkdtempSync(join(folder, 'copy-')), 'copy.db');
      writeFileSync(file, db!);
      writeFileSync(`${file}-wal`, change(Buffer.from(log!)));
      return open({ file });
    };
    const flippedIn = (at: number) => (bytes: Buffer) => {
      bytes[at]! ^= 4;
      return bytes;
    };
    await expect(copyWith(flippedIn(32 + frame + 2_000))).rejects.toThrow(
      /copy\.db-wal is damaged: frame 2 \(page \d+\) does not add up/,
    );
    await expect(copyWith(flippedIn(9))).rejects.toThrow(/its header does not add up/);
    expect(names(await copyWith((bytes) => bytes))).toEqual(['a', 'b', 'c']);
    // Its last transaction may have been cut off by a kill; what is before it stands.
    const torn = await copyWith(flippedIn(log!.length - 2_000));
    expect(names(torn)).toEqual(['a', 'b']);
  });

  it('is readable by its user only', async () => {
    const store = await open();
    await store.write([insert('a')]);
    for (const end of ['', '-wal', '-shm'])
      expect(statSync(`${store.file}${end}`).mode & 0o077).toBe(0);
  });

  it('is opened once: by this process', async () => {
    await open();
    await expect(open()).rejects.toThrow(/open already/);
  });
});

describe('lockFolder', () => {
  it('may be held many times by one process and is free after the last release', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kcm-lock-'));
    const first = lockFolder(folder);
    const second = lockFolder(folder);
    first.release();
    first.release();
    expect(readFileSync(join(folder, 'lock.pid'), 'utf8')).toBe(`${process.pid}\n`);
    second.release();
    lockFolder(folder).release();
    rmSync(folder, { recursive: true });
  });
  it('says who holds it', () => {
    expect(new FolderLocked('/data', 42).message).toContain('process 42');
  });
});

/** What this process has open, where that can be looked up. */
function openPaths(): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}
