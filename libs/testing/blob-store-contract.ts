import { randomBytes, randomInt } from 'node:crypto';
import type { BlobStore } from '@kcm/vault';

/** One store that outlives its connections. */
export interface BlobStoreFixture {
  /** Opens the same store again after a `close`. */
  open(): Promise<BlobStore>;
  dispose(): Promise<void>;
  /** Everything that the store has on disk now, one buffer a file. */
  files(): readonly Buffer[];
}

const text = (value: string): Uint8Array => Buffer.from(value);

/** How many 16-byte pieces of a value stand in the store's files. */
function remains(files: readonly Buffer[], value: Buffer): number {
  let found = 0;
  for (const at of [0, Math.floor(value.length / 2) - 8, value.length - 16])
    if (files.some((file) => file.includes(value.subarray(at, at + 16)))) found += 1;
  return found;
}

/** What every adapter of the blob store port must do, whatever its engine. */
export function blobStoreContract(name: string, make: () => Promise<BlobStoreFixture>): void {
  describe(`the blob store contract: ${name}`, () => {
    let fixture: BlobStoreFixture;
    let store: BlobStore;
    beforeEach(async () => {
      fixture = await make();
      store = await fixture.open();
    });
    afterEach(async () => {
      await store.close();
      await fixture.dispose();
    });

    it('has stored what it acknowledged: it is there after a reopen', async () => {
      const value = randomBytes(10_000);
      await store.put('l2/acme/k/1/d', value);
      await store.putIfAbsent('l2/acme/k/2/d', text('second'));
      await store.put('empty', new Uint8Array());
      await store.close();
      store = await fixture.open();
      expect(await store.get('l2/acme/k/1/d')).toEqual(value);
      expect(await store.get('l2/acme/k/2/d')).toEqual(text('second'));
      expect(await store.get('empty')).toEqual(Buffer.alloc(0));
      expect(await store.get('l2/acme/k/1')).toBeNull();
    });

    it('replaces on put and keeps the first on putIfAbsent', async () => {
      await store.put('k', text('one'));
      await store.put('k', text('two, longer'));
      expect(await store.get('k')).toEqual(text('two, longer'));
      expect(await store.putIfAbsent('k', text('three'))).toBe(false);
      expect(await store.get('k')).toEqual(text('two, longer'));
      expect(await store.putIfAbsent('other', text('four'))).toBe(true);
    });

    it('replaces what it was told is there, and nothing that was changed or erased', async () => {
      await store.put('k', text('one'));
      expect(await store.replace('k', text('two'), text('three'))).toBe(false);
      expect(await store.replace('none', text('one'), text('three'))).toBe(false);
      expect(await store.get('k')).toEqual(text('one'));
      expect(await store.get('none')).toBeNull();
      const won = await Promise.all(
        ['a', 'b', 'c', 'd'].map((value) => store.replace('k', text('one'), text(value))),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      await store.close();
      store = await fixture.open();
      expect(await store.get('k')).toEqual(text('abcd'[won.indexOf(true)]!));
      await store.erase('k');
      expect(await store.replace('k', text('a'), text('back'))).toBe(false);
      expect(await store.get('k')).toBeNull();
    });

    it('has one winner of concurrent putIfAbsent', async () => {
      const won = await Promise.all(
        Array.from({ length: 20 }, (_, index) => store.putIfAbsent('k', text(`value ${index}`))),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await store.get('k')).toEqual(text(`value ${won.indexOf(true)}`));
    });

    it('gives out bytes that the caller may change', async () => {
      await store.put('k', text('one'));
      (await store.get('k'))!.fill(0);
      expect(await store.get('k')).toEqual(text('one'));
    });

    it('lists a path and what is under it in bytewise order', async () => {
      const keys = ['a/b/c', 'a/b', 'a/bc', 'a/b-c', 'a/B', 'a/b.c', 'a/b/C', 'b'];
      for (const key of keys) await store.put(key, text(key));
      expect(await store.list('a/b')).toEqual(['a/b', 'a/b/C', 'a/b/c']);
      expect(await store.list('a/b/')).toEqual(['a/b', 'a/b/C', 'a/b/c']);
      expect(await store.list('none')).toEqual([]);
      expect(await store.list('')).toEqual([...keys].sort());
    });

    it('erases a path and what is under it, never a key that only begins alike', async () => {
      const kept = ['a/bc', 'a/b-c', 'a/b.c', 'a/b0', 'a/B', 'a', 'b'];
      for (const key of [...kept, 'a/b', 'a/b/c', 'a/b/c/d']) await store.put(key, text(key));
      expect(await store.erase('a/b')).toBe(3);
      expect(await store.list('')).toEqual([...kept].sort());
      expect(await store.erase('a/b')).toBe(0);
    });

    it('refuses a key that is not a path of plain names', async () => {
      const bad = ['', '/', 'a//b', '/a', 'a/', 'a b', 'a\u0000', "a'", 'ä', '*', 'x'.repeat(513)];
      for (const key of bad) {
        const calls = [
          () => store.put(key, text('x')),
          () => store.putIfAbsent(key, text('x')),
          () => store.get(key),
          () => store.erase(key),
        ];
        for (const call of calls) await expect(call()).rejects.toThrow(RangeError);
      }
      expect(await store.list('')).toEqual([]);
    });

    it('leaves no byte of what was erased on disk', async () => {
      const value = randomBytes(300);
      const kept = randomBytes(300);
      await store.put('l2/acme/k', value);
      await store.put('l2/other/k', kept);
      // The control: the search finds what is there.
      expect(remains(fixture.files(), value)).toBe(3);
      await store.erase('l2/acme');
      expect(remains(fixture.files(), value)).toBe(0);
      expect(remains(fixture.files(), kept)).toBe(3);
    });

    it('leaves no byte of anything replaced or erased after much churn', async () => {
      const live = new Map<string, Buffer>();
      const gone: Buffer[] = [];
      for (let round = 0; round < 12; round += 1) {
        const writes: Promise<unknown>[] = [];
        for (let step = 0; step < 40; step += 1) {
          const key = `t${randomInt(4)}/k${randomInt(60)}`;
          const value = randomBytes(randomInt(32, 2_500));
          const before = live.get(key);
          if (before !== undefined) gone.push(before);
          live.set(key, value);
          writes.push(store.put(key, value));
        }
        await Promise.all(writes);
        const path = `t${round % 4}`;
        for (const [key, value] of live)
          if (key.startsWith(`${path}/`)) {
            gone.push(value);
            live.delete(key);
          }
        await store.erase(path);
      }
      const files = fixture.files();
      expect([...live.values()].filter((value) => remains(files, value) === 0)).toEqual([]);
      expect(gone.filter((value) => remains(files, value) > 0)).toHaveLength(0);
      expect(await store.list('')).toEqual([...live.keys()].sort());
    });

    it('refuses every call once it is closed', async () => {
      await store.put('k', text('one'));
      await store.close();
      const calls = [
        () => store.put('k', text('two')),
        () => store.get('k'),
        () => store.list(''),
        () => store.erase('k'),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: /./ });
      await store.close();
    });
  });
}
