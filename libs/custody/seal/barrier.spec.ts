import { systemRandom } from '@kcm/kernel';
import { MemoryBlobs } from '@kcm/testing';
import { Secret } from '@kcm/crypto';
import { Barrier } from './barrier.js';
import { BarrieredStore } from './barriered-store.js';
import { Keyring, WrongMasterKey } from './keyring.js';

const integrity = (path: string) =>
  expect.objectContaining({ code: 'integrity', message: expect.stringContaining(path) });
const keyring = Keyring.create(systemRandom);
const barrier = new Barrier('eu', keyring, systemRandom);
const plain = Buffer.from('the bytes behind the barrier');

describe('The barrier', () => {
  it('Confidential: what lies in the store shows nothing of what was put', async () => {
    const inner = new MemoryBlobs();
    const store = new BarrieredStore(inner, () => barrier);
    await store.put('l2/acme/k', plain);
    await expect(store.putIfAbsent('l2/acme/k', plain)).resolves.toBe(false);
    await expect(store.putIfAbsent('l2/acme/j', plain)).resolves.toBe(true);
    for (const blob of inner.blobs.values()) expect(blob.includes('barrier')).toBe(false);
    await expect(store.get('l2/acme/k')).resolves.toEqual(plain);
    await expect(store.get('l2/acme/none')).resolves.toBeNull();
    await expect(store.list('l2')).resolves.toEqual(['l2/acme/j', 'l2/acme/k']);
    await expect(store.erase('l2/acme')).resolves.toBe(2);
  });

  it('Integrity: every flipped bit and every shorter blob is refused, naming the path', () => {
    const blob = barrier.seal('a/b', plain);
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const bad = Buffer.from(blob);
      bad[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => barrier.open('a/b', bad)).toThrow(integrity('a/b'));
    }
    for (let length = 0; length < blob.length; length++)
      expect(() => barrier.open('a/b', blob.subarray(0, length))).toThrow(integrity('a/b'));
    expect(barrier.open('a/b', blob)).toEqual(plain);
  });

  it('MoveIntegrity: a blob opens at its own path in its own region only', () => {
    const blob = barrier.seal('l2/acme/k/1', plain);
    const elsewhere = new Barrier('us', keyring, systemRandom);
    expect(() => barrier.open('l2/evil/k/1', blob)).toThrow(integrity('l2/evil/k/1'));
    expect(() => elsewhere.open('l2/acme/k/1', blob)).toThrow(integrity('l2/acme/k/1'));
  });

  it('takes an empty blob and one inside a larger buffer', () => {
    expect(barrier.open('e', barrier.seal('e', Buffer.alloc(0)))).toHaveLength(0);
    const large = Buffer.concat([Buffer.from('xx'), barrier.seal('e', plain), Buffer.from('yy')]);
    expect(barrier.open('e', large.subarray(2, -2))).toEqual(plain);
  });

  it('writes with the newest key and reads with every one', () => {
    const ring = Keyring.create(systemRandom);
    const rotating = new Barrier('eu', ring, systemRandom);
    const old = rotating.seal('p', plain);
    using next = ring.rotated(systemRandom);
    expect(ring.newest).toBe(1);
    ring.adopt(next);
    const fresh = rotating.seal('p', plain);
    expect([old.readUInt32BE(5), fresh.readUInt32BE(5)]).toEqual([1, 2]);
    expect(rotating.open('p', old)).toEqual(plain);
    expect(rotating.open('p', fresh)).toEqual(plain);
  });
});

describe('The keyring', () => {
  const master = Secret.own(systemRandom.bytes(32));
  const identity = { region: 'eu', setId: 'a1' };

  it('opens under its MasterKey with all of its entries', () => {
    const ring = Keyring.create(systemRandom).rotated(systemRandom);
    const opened = Keyring.open(master, ring.seal(master, systemRandom, identity), identity);
    expect(opened.newest).toBe(2);
    for (const entry of [1, 2])
      opened
        .key(entry)!
        .use((bytes) => ring.key(entry)!.use((own) => expect(bytes.equals(own)).toBe(true)));
  });

  it('tells a wrong MasterKey, region or set from damage', () => {
    const blob = keyring.seal(master, systemRandom, identity);
    const other = Secret.own(systemRandom.bytes(32));
    expect(() => Keyring.open(other, blob, identity)).toThrow(WrongMasterKey);
    expect(() => Keyring.open(master, blob, { ...identity, region: 'us' })).toThrow(WrongMasterKey);
    expect(() => Keyring.open(master, blob, { ...identity, setId: 'b2' })).toThrow(WrongMasterKey);
    const damaged = Buffer.from(blob);
    damaged[blob.length - 1]! ^= 1;
    expect(() => Keyring.open(master, damaged, identity)).toThrow(integrity('sys/keyring/a1'));
  });
});
