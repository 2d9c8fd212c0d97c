import { LIMITS, systemRandom } from '@kcm/kernel';
import { MemoryBlobs, SimulatedTime } from '@kcm/testing';
import { Barrier, entryOf } from './barrier.js';
import { BarrieredStore } from './barriered-store.js';
import { Keyring } from './keyring.js';
import { Resealing } from './resealing.js';

const PATHS = Array.from({ length: 100 }, (_, n) => `l2/acme/k/${n}`);

describe('Sealing anew what an older entry of the keyring sealed', () => {
  let time: SimulatedTime;
  let vault: MemoryBlobs;
  let erasure: MemoryBlobs;
  let keyring: Keyring;
  let stores: BarrieredStore[];
  let resealing: Resealing;
  let reported: (string | null)[];
  let keeping: () => Promise<void>;

  beforeEach(async () => {
    time = new SimulatedTime();
    [vault, erasure] = [new MemoryBlobs(), new MemoryBlobs()];
    keyring = Keyring.create(systemRandom);
    const barrier = new Barrier('eu', keyring, systemRandom);
    stores = [vault, erasure].map((blobs) => new BarrieredStore(blobs, () => barrier));
    for (const path of PATHS) await stores[0]!.put(path, Buffer.from(`of ${path}`));
    await stores[1]!.put('tek/acme', Buffer.from('tek'));
    await vault.put('receipts/acme/1', Buffer.from('not behind the barrier'));
    reported = [];
    const report = (_: unknown, path: string | null) => void reported.push(path);
    keeping = async () => {};
    const keep = () => keeping();
    resealing = new Resealing({ stores, keep, scheduler: time, random: systemRandom, report });
    keyring.adopt(keyring.rotated(systemRandom));
  });
  const entries = () =>
    [...vault.blobs, ...erasure.blobs].map(([path, blob]) => [path, entryOf(blob)]);
  const done = async (): Promise<void> => {
    for (let turn = 0; resealing.view?.state === 'running' && turn < 1_000; turn += 1)
      await time.advance(0);
  };

  it('reaches everything behind the barrier of both stores, and changes nothing else', async () => {
    resealing.start();
    await done();
    expect(resealing.view).toEqual({
      state: 'done',
      seen: 102,
      total: 102,
      damaged: 0,
      blobs: [{ entry: 2, count: 101 }],
    });
    for (const [path, entry] of entries())
      expect(entry).toBe(path === 'receipts/acme/1' ? null : 2);
    expect(String(vault.blobs.get('receipts/acme/1'))).toBe('not behind the barrier');
    for (const path of PATHS) expect(String(await stores[0]!.get(path))).toBe(`of ${path}`);
  });

  it('begins when the keyring is kept beside it, and not before', async () => {
    keeping = () => Promise.reject(new Error('its disk is away'));
    resealing.start();
    await time.advance(0);
    expect(resealing.view).toMatchObject({ state: 'waiting', seen: 0 });
    expect(entryOf(erasure.blobs.get('tek/acme')!)).toBe(1);
    keeping = async () => {};
    await time.advance(LIMITS.retryMsMax);
    await done();
    expect(resealing.view).toMatchObject({ state: 'done' });
    expect(entryOf(erasure.blobs.get('tek/acme')!)).toBe(2);
  });

  it('tells how far it is, and says so of what is written or erased meanwhile', async () => {
    resealing.start();
    await time.advance(0);
    const { state, seen, total } = resealing.view!;
    expect([state, total]).toEqual(['running', 102]);
    expect(seen).toBeGreaterThan(0);
    expect(seen).toBeLessThan(102);
    await stores[0]!.erase(PATHS[99]!);
    await stores[0]!.put(PATHS[98]!, Buffer.from('newer'));
    await done();
    expect(await stores[0]!.get(PATHS[99]!)).toBeNull();
    expect(String(await stores[0]!.get(PATHS[98]!))).toBe('newer');
    expect(resealing.view!.blobs).toEqual([{ entry: 2, count: 100 }]);
  });

  it('never brings back what was erased between its reading and its writing', async () => {
    const get = (path: string) => MemoryBlobs.prototype.get.call(vault, path);
    vault.get = async (path) => {
      const found = await get(path);
      if (path === PATHS[5]) await vault.erase(path);
      if (path === PATHS[6]) vault.get = get;
      return found;
    };
    resealing.start();
    await done();
    expect(vault.blobs.has(PATHS[5]!)).toBe(false);
    expect(resealing.view).toMatchObject({ state: 'done', blobs: [{ entry: 2, count: 100 }] });
  });

  it('leaves a blob that does not open as it is, names it, and goes on', async () => {
    const bad = Buffer.from(vault.blobs.get(PATHS[3]!)!);
    bad[bad.length - 1]! ^= 1;
    vault.blobs.set(PATHS[3]!, bad);
    resealing.start();
    await done();
    expect(reported).toEqual([PATHS[3]]);
    expect(resealing.view).toMatchObject({ damaged: 1, blobs: [{ entry: 2, count: 100 }] });
    expect(vault.blobs.get(PATHS[3]!)).toEqual(bad);
  });

  it('begins again by itself when a store was away', async () => {
    erasure.list = () => Promise.reject(new Error('away'));
    resealing.start();
    await time.advance(0);
    expect(resealing.view).toMatchObject({ state: 'waiting' });
    erasure.list = (prefix) => MemoryBlobs.prototype.list.call(erasure, prefix);
    await time.advance(LIMITS.retryMsMax);
    await done();
    expect(resealing.view).toMatchObject({ state: 'done', blobs: [{ entry: 2, count: 101 }] });
  });

  it('stops with the seal', async () => {
    resealing.start();
    await time.advance(0);
    resealing.stop();
    keyring.dispose();
    await time.advance(LIMITS.retryMsMax);
    expect(resealing.view).toBeNull();
    expect(reported).toEqual([]);
    expect(entries().some(([, entry]) => entry === 1)).toBe(true);
  });
});
