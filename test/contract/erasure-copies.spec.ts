import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { oneOrMore, systemRandom } from '@kcm/kernel';
import { blobStoreContract, MemoryBlobs } from '@kcm/testing';
import type { Copies } from '@kcm/vault';
import { openReplicated } from '@kcm/vault/replicated';
import { openSqliteBlobStore } from '@kcm/vault/sqlite';

const ENDS = ['', '-wal', '-shm'];
const filesOf = (files: readonly string[]): Buffer[] =>
  files.flatMap((file) =>
    ENDS.flatMap((end) => (existsSync(file + end) ? readFileSync(file + end) : [])),
  );
const openAt = (files: readonly string[]): Promise<Copies> =>
  openReplicated(
    oneOrMore(
      files.map((file) => ({
        name: file,
        open: () => openSqliteBlobStore({ file, role: 'erasure' as const }),
      })),
    )!,
    systemRandom,
  );

for (const count of [1, 2])
  blobStoreContract(`${count} copies of sqlite`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kcm-copies-'));
    const files = Array.from({ length: count }, (_, n) => join(folder, String(n), 'erasure.db'));
    return {
      open: () => openAt(files),
      dispose: async () => rmSync(folder, { recursive: true }),
      files: () => filesOf(files),
    };
  });

describe('an erasure store of two copies', () => {
  let folder: string;
  let one: string;
  let two: string;
  let store: Copies | null = null;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-copies-'));
    [one, two] = [join(folder, 'one/erasure.db'), join(folder, 'two/erasure.db')];
  });
  afterEach(async () => {
    await store?.close();
    rmSync(folder, { recursive: true });
  });
  const open = async (): Promise<Copies> => (store = await openAt([one, two]));
  const closed = async (): Promise<void> => {
    await store!.close();
    store = null;
  };
  /** What one place alone holds. */
  const alone = async (file: string, key: string): Promise<Buffer | null> => {
    const only = await openSqliteBlobStore({ file, role: 'erasure' });
    try {
      return await only.get(key);
    } finally {
      await only.close();
    }
  };
  const lose = (file: string): void => rmSync(dirname(file), { recursive: true });
  /** A disk that cannot be opened: something else has its name. */
  const unplug = (file: string): void => {
    renameSync(dirname(file), `${dirname(file)}.away`);
    writeFileSync(dirname(file), 'no folder');
  };
  const plug = (file: string): void => {
    rmSync(dirname(file), { recursive: true });
    renameSync(`${dirname(file)}.away`, dirname(file));
  };
  const key = Buffer.alloc(32, 0x5a);

  it('has each key in both places before it counts as stored', async () => {
    await (await open()).put('tek/acme', key);
    expect(await store!.putIfAbsent('tek/bank', key)).toBe(true);
    await closed();
    for (const file of [one, two])
      for (const path of ['tek/acme', 'tek/bank']) expect(await alone(file, path)).toEqual(key);
  });

  it.each(['first', 'second'])(
    'opens from the other one when the %s is lost, and makes it anew',
    async (which) => {
      const lost = which === 'first' ? one : two;
      await (await open()).put('tek/acme', key);
      await closed();
      lose(lost);
      await open();
      expect(await store!.get('tek/acme')).toEqual(key);
      expect(store!.copies.map(({ away }) => away)).toEqual([null, null]);
      await closed();
      expect(await alone(lost, 'tek/acme')).toEqual(key);
    },
  );

  it.each(['first', 'second'])(
    'while the %s is away reads, says who is away, and stores and erases nothing',
    async (which) => {
      const away = which === 'first' ? one : two;
      await (await open()).put('tek/acme', key);
      await closed();
      unplug(away);
      await open();
      expect(store!.copies.map(({ name, away: why }) => [name, why !== null])).toEqual([
        [one, away === one],
        [two, away === two],
      ]);
      expect(await store!.get('tek/acme')).toEqual(key);
      const refused = {
        code: 'ledger_unavailable',
        message: expect.stringContaining(away) as string,
      };
      await expect(store!.put('tek/new', key)).rejects.toMatchObject(refused);
      await expect(store!.putIfAbsent('tek/other', key)).rejects.toMatchObject(refused);
      await expect(store!.erase('tek/acme')).rejects.toMatchObject(refused);
      // Whether the one that is away has it is not known.
      await expect(store!.get('tek/new')).rejects.toMatchObject(refused);
    },
  );

  it('never brings back what was erased while a copy was away: that copy is cleaned before it answers', async () => {
    await (await open()).put('tek/acme', key);
    await store!.put('tek/bank', key);
    await closed();
    unplug(two);
    await open();
    await expect(store!.erase('tek/acme')).rejects.toMatchObject({ code: 'ledger_unavailable' });
    expect(await store!.get('tek/acme')).toBeNull();
    await closed();
    plug(two);
    expect(await alone(two, 'tek/acme')).toEqual(key);
    await open();
    expect([await store!.get('tek/acme'), await store!.get('tek/bank')]).toEqual([null, key]);
    expect(await store!.list('')).toEqual(['tek/bank']);
    expect(await store!.erase('tek/acme')).toBe(0);
    await closed();
    expect(await alone(two, 'tek/acme')).toBeNull();
    // A disk with an older copy, put in the place of the one that is there.
    expect(await alone(two, 'tek/bank')).toEqual(key);
  });

  it('takes a copy that is back into use while it runs', async () => {
    await (await open()).put('tek/acme', key);
    await closed();
    unplug(two);
    await open();
    await expect(store!.erase('tek/acme')).rejects.toMatchObject({ code: 'ledger_unavailable' });
    plug(two);
    await store!.erase('tek/acme');
    expect(store!.copies.map(({ away }) => away)).toEqual([null, null]);
    await closed();
    for (const file of [one, two]) expect(await alone(file, 'tek/acme')).toBeNull();
  });

  it('sees within one proof that a copy is gone under it, and makes it anew', async () => {
    await (await open()).put('tek/acme', key);
    lose(two);
    // The names of open files are looked up again after a second.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await store!.prove();
    await store!.prove();
    expect(store!.copies.map(({ away }) => away)).toEqual([null, null]);
    await closed();
    expect(await alone(two, 'tek/acme')).toEqual(key);
  });

  it('answers a damaged value from the other copy, and mends it', async () => {
    const value = Buffer.from('the value that lies in the file as it is, and no other');
    await (await open()).put('tek/acme', value);
    await closed();
    const bytes = readFileSync(one);
    bytes[bytes.indexOf(value) + 7]! ^= 1;
    writeFileSync(one, bytes);
    await expect(alone(one, 'tek/acme')).rejects.toMatchObject({ code: 'integrity' });
    await open();
    expect(await store!.get('tek/acme')).toEqual(value);
    await closed();
    expect(await alone(one, 'tek/acme')).toEqual(value);
  });

  it.each([0, 1])(
    'a copy (%i) that lost a key while it was open costs nobody that key',
    async (at) => {
      const places = [new MemoryBlobs(), new MemoryBlobs()];
      store = await openReplicated(
        oneOrMore(places.map((place, n) => ({ name: `${n}`, open: async () => place })))!,
        systemRandom,
      );
      await store.put('tek/acme', key);
      await places[at]!.erase('tek/acme');
      expect(await store.putIfAbsent('tek/acme', Buffer.alloc(32, 1))).toBe(false);
      expect(await store.replace('tek/acme', Buffer.alloc(32, 1), Buffer.alloc(32, 2))).toBe(false);
      await store.prove();
      for (const place of places) expect(await place.get('tek/acme')).toEqual(key);
    },
  );

  it('is not mixed with a copy of another erasure store', async () => {
    await (await open()).put('tek/acme', key);
    await closed();
    const other = join(folder, 'other/erasure.db');
    store = await openAt([other]);
    await store.put('tek/acme', Buffer.alloc(32, 1));
    await closed();
    mkdirSync(dirname(two), { recursive: true });
    copyFileSync(other, two);
    const opened = await open();
    expect(opened.copies[1]!.away).toMatch(/another erasure store/);
    expect(await opened.get('tek/acme')).toEqual(key);
    await closed();
    expect(await alone(two, 'tek/acme')).toEqual(Buffer.alloc(32, 1));
  });

  it('keeps a path of its own that nobody else may use', async () => {
    await open();
    await expect(store!.put('copies/set', key)).rejects.toThrow(RangeError);
    expect(await store!.list('')).toEqual([]);
  });
});
