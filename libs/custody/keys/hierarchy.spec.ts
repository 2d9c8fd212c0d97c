import { Secret } from '@kcm/crypto';
import type { WrappedVersion } from '@kcm/domain';
import { DecryptionFailed, LeaseClock, systemClock, systemRandom, uuidv4 } from '@kcm/kernel';
import type { Answer, RootKey } from '@kcm/keystores';
import { FakeKeystore, MemoryBlobs } from '@kcm/testing';
import { Barrier } from '../seal/barrier.js';
import { BarrieredStore } from '../seal/barriered-store.js';
import { Hierarchy } from './hierarchy.js';
import type { KeyIdentity } from './key-identity.js';
import { Keyring } from '../seal/keyring.js';
import type { Called } from '../calls/keystore-calls.js';

const ACME: KeyIdentity = { tenant: 'acme', key: 'l2-a', version: 1 };
const L3: KeyIdentity = { tenant: 'acme', key: 'l3-a', version: 1 };
const bytesOf = (secret: Secret): string => secret.use((bytes) => bytes.toString('hex'));

/** One region's stores and one customer key, on a keystore that binds no identity by itself. */
async function vault() {
  const disk = new MemoryBlobs();
  const erasureDisk = new MemoryBlobs();
  const barrier = new Barrier('local', Keyring.create(systemRandom), systemRandom);
  const wrapped = new BarrieredStore(disk, () => barrier);
  const erasure = new BarrieredStore(erasureDisk, () => barrier);
  const hierarchy = new Hierarchy(wrapped, erasure, systemRandom);
  const keystore = new FakeKeystore(systemRandom);
  const rootKey: RootKey = await keystore.open({ key: 'acme' });
  const clock = new LeaseClock(systemClock);
  const called = async <T>(
    run: (call: { callId: string }) => Promise<Answer<T>>,
  ): Promise<Called<T>> => {
    const callId = uuidv4(systemRandom);
    return { ...(await run({ callId })), callId, sent: clock.reading() };
  };
  const create = async (identity: KeyIdentity) => {
    const made = await hierarchy.createL2(identity, 'rk-1', (seed, binding) =>
      called((call) => rootKey.wrap(seed, binding, call)),
    );
    if (!made.ok) throw new Error(made.code);
    return made.value;
  };
  const open = (identity: KeyIdentity, version: WrappedVersion) =>
    hierarchy.openL2(identity, version, (bytes, binding) =>
      called((call) => rootKey.unwrap(bytes, binding, call)),
    );
  return { disk, erasureDisk, hierarchy, keystore, create, open };
}
const flip = (blobs: MemoryBlobs, key: string, at: number): void => {
  blobs.blobs.get(key)![at]! ^= 1;
};

describe('L2 from the customer’s root key', () => {
  it('RoundTrip: opens to the key that was created, by an unwrap and nothing else', async () => {
    const { create, open, keystore } = await vault();
    const { l2, version } = await create(ACME);
    const opened = await open(ACME, version);
    expect(opened.ok && bytesOf(opened.value)).toBe(bytesOf(l2));
    expect(keystore.unwraps('acme')).toBe(1);
    keystore.refuse('acme', 'denied', 'root_key_disabled');
    expect(await open(ACME, version)).toMatchObject({ ok: false, cause: 'denied' });
  });

  it('Confidential: neither store holds a byte of seed or key, and the wrapped seed lies under the TEK', async () => {
    const { create, disk, erasureDisk } = await vault();
    const { l2, version } = await create(ACME);
    expect([...disk.blobs.keys()]).toEqual([`l2/acme/l2-a/1/${version.digest}`]);
    expect([...erasureDisk.blobs.keys()]).toEqual(['tek/acme']);
    const stored = [...disk.blobs.values(), ...erasureDisk.blobs.values()];
    for (const bytes of stored) expect(bytes.toString('hex')).not.toContain(bytesOf(l2));
  });

  it.each(['vault', 'erasure store'])(
    'Integrity: no flipped bit of the %s opens, and none reaches the keystore',
    async (where) => {
      const { create, open, disk, erasureDisk, keystore } = await vault();
      const { version } = await create(ACME);
      const blobs = where === 'vault' ? disk : erasureDisk;
      const [key] = blobs.blobs.keys();
      for (let at = 0; at < blobs.blobs.get(key!)!.length; at += 7) {
        flip(blobs, key!, at);
        expect(await open(ACME, version)).toMatchObject({
          ok: false,
          cause: 'integrity',
          detail: 'The blob of version 1 of the tenant key l2-a is missing or not its own.',
        });
        flip(blobs, key!, at);
      }
      expect(keystore.unwraps('acme')).toBe(0);
      expect((await open(ACME, version)).ok).toBe(true);
    },
  );

  it.each([
    ['tenant', { ...ACME, tenant: 'bank' }],
    ['key', { ...ACME, key: 'l2-b' }],
    ['version', { ...ACME, version: 2 }],
  ])('MoveIntegrity: a blob moved to another %s opens to nothing', async (_, other) => {
    const { create, open, disk, erasureDisk } = await vault();
    const { version } = await create(ACME);
    const foreign = await create(other);
    const from = `l2/acme/l2-a/1/${version.digest}`;
    const to = `l2/${other.tenant}/${other.key}/${other.version}/${version.digest}`;
    disk.blobs.set(to, disk.blobs.get(from)!);
    erasureDisk.blobs.set(`tek/${other.tenant}`, erasureDisk.blobs.get('tek/acme')!);
    expect(await open(other, version)).toMatchObject({ ok: false, cause: 'integrity' });
    disk.blobs.set(
      `l2/${other.tenant}/${other.key}/${other.version}/${foreign.version.digest}`,
      disk.blobs.get(from)!,
    );
    expect(await open(other, foreign.version)).toMatchObject({ ok: false, cause: 'integrity' });
  });

  it('IdentityBinding: one seed gives another key to another identity, without any AAD at the keystore', async () => {
    const constant = { bytes: (length: number) => Buffer.alloc(length, 7) };
    const { keystore } = await vault();
    const rootKey = await keystore.open({ key: 'acme' });
    const hierarchy = new Hierarchy(new MemoryBlobs(), new MemoryBlobs(), constant);
    const made = async (identity: KeyIdentity) => {
      const created = await hierarchy.createL2(identity, 'rk-1', async (seed, binding) => {
        expect(seed).toEqual(Buffer.alloc(32, 7));
        const answer = await rootKey.wrap(seed, binding, { callId: 'c' });
        if (!answer.ok) throw new Error(answer.code);
        return { ...answer, callId: 'c', sent: new LeaseClock(systemClock).reading() };
      });
      if (!created.ok) throw new Error(created.code);
      return bytesOf(created.value.l2);
    };
    const identities = [
      ACME,
      { ...ACME, tenant: 'bank' },
      { ...ACME, key: 'l2-b' },
      { ...ACME, version: 2 },
    ];
    const keys: string[] = [];
    for (const identity of identities) keys.push(await made(identity));
    expect(new Set(keys).size).toBe(identities.length);
    expect(await made(ACME)).toBe(keys[0]);
  });

  it('Commitment: a keystore that gives back another seed is found out', async () => {
    const { create, hierarchy } = await vault();
    const { version } = await create(ACME);
    const answered = await hierarchy.openL2(ACME, version, async () => ({
      ok: true,
      value: Buffer.alloc(32, 9),
      providerRequestId: 'req',
      callId: 'call',
      sent: new LeaseClock(systemClock).reading(),
    }));
    expect(answered).toMatchObject({ ok: false, cause: 'integrity', callId: 'call' });
  });

  it('Erased: without its TEK nothing of a tenant opens, and no new TEK takes its place', async () => {
    const { create, open, erasureDisk, keystore } = await vault();
    const { version } = await create(ACME);
    await erasureDisk.erase('tek/acme');
    expect(await open(ACME, version)).toMatchObject({ ok: false, cause: 'integrity' });
    expect(erasureDisk.blobs.size).toBe(0);
    expect(keystore.unwraps('acme')).toBe(0);
  });

  it('a creation that is repeated keeps the recorded blob', async () => {
    const { create, open } = await vault();
    const first = await create(ACME);
    const second = await create(ACME);
    expect(second.version.digest).not.toBe(first.version.digest);
    expect((await open(ACME, first.version)).ok).toBe(true);
    expect((await open(ACME, second.version)).ok).toBe(true);
  });
});

describe('L3 under an L2', () => {
  async function service() {
    const stores = await vault();
    const { l2, version } = await stores.create(ACME);
    const parent = { id: ACME.key, version: '1' };
    const made = await stores.hierarchy.createL3(L3, 'billing', parent, l2);
    const path = `l3/acme/l3-a/1/${made.version.digest}`;
    return { ...stores, l2, l2Version: version, parent, ...made, path };
  }

  it('RoundTrip: opens to the key that was created', async () => {
    const { hierarchy, l2, l3, version } = await service();
    const opened = await hierarchy.openL3(L3, 'billing', version, l2);
    expect(bytesOf(opened)).toBe(bytesOf(l3));
  });

  it('Integrity: no flipped bit opens', async () => {
    const { hierarchy, disk, path, l2, version } = await service();
    for (let at = 0; at < disk.blobs.get(path)!.length; at += 5) {
      flip(disk, path, at);
      await expect(hierarchy.openL3(L3, 'billing', version, l2)).rejects.toMatchObject({
        code: expect.stringMatching(/^(integrity|decryption_failed)$/),
      });
      flip(disk, path, at);
    }
  });

  it('Recorded: the same key wrapped anew opens nothing under the digest of before', async () => {
    const { path, l2, l3, version, parent } = await service();
    const random = {
      bytes: (length: number) => l3.use((key) => Buffer.from(key.subarray(0, length))),
    };
    const again = new MemoryBlobs();
    const barriers = new Barrier('local', Keyring.create(systemRandom), systemRandom);
    const store = new BarrieredStore(again, () => barriers);
    const made = await new Hierarchy(store, store, random).createL3(L3, 'billing', parent, l2);
    expect(made.version.commitment).toBe(version.commitment);
    expect(made.version.digest).not.toBe(version.digest);
    const other = (await store.get(`l3/acme/l3-a/1/${made.version.digest}`))!;
    await store.put(path, other);
    const opened = new Hierarchy(store, store, systemRandom).openL3(L3, 'billing', version, l2);
    await expect(opened).rejects.toBeInstanceOf(DecryptionFailed);
  });

  it('Committed: a key other than the recorded one is refused, though its blob is whole', async () => {
    const { hierarchy, l2, version } = await service();
    const recorded = { ...version, commitment: 'ab'.repeat(version.commitment.length / 2) };
    const opened = hierarchy.openL3(L3, 'billing', recorded, l2);
    await expect(opened).rejects.toBeInstanceOf(DecryptionFailed);
  });

  it('MoveIntegrity: another service, version, parent or L2 opens nothing', async () => {
    const { hierarchy, create, l2, version } = await service();
    const refused = (attempt: Promise<Secret>) =>
      expect(attempt).rejects.toBeInstanceOf(DecryptionFailed);
    await refused(hierarchy.openL3(L3, 'payroll', version, l2));
    await refused(hierarchy.openL3({ ...L3, version: 2 }, 'billing', version, l2));
    await refused(
      hierarchy.openL3(L3, 'billing', { ...version, wrappedBy: { id: 'l2-a', version: '2' } }, l2),
    );
    const other = await create({ ...ACME, version: 2 });
    await refused(hierarchy.openL3(L3, 'billing', version, other.l2));
  });

  it('Rewrapped: the same key under another L2 version, and each of the two opens under its own alone', async () => {
    const { hierarchy, create, l2, l3, version, disk, path } = await service();
    const next = await create({ ...ACME, version: 2 });
    const by = { id: ACME.key, version: '2' };
    const wrapped = await hierarchy.wrapL3(L3, 'billing', by, next.l2, l3);
    const anew = { ...wrapped, commitment: version.commitment };
    expect(bytesOf(await hierarchy.openL3(L3, 'billing', anew, next.l2))).toBe(bytesOf(l3));
    expect(bytesOf(await hierarchy.openL3(L3, 'billing', version, l2))).toBe(bytesOf(l3));
    expect(wrapped.digest).not.toBe(version.digest);
    const refused = (attempt: Promise<Secret>) =>
      expect(attempt).rejects.toMatchObject({
        code: expect.stringMatching(/^(integrity|decryption_failed)$/),
      });
    await refused(hierarchy.openL3(L3, 'billing', anew, l2));
    await refused(hierarchy.openL3(L3, 'billing', version, next.l2));
    // Moved: into the place of the blob of before, and into that of another version.
    const moved = disk.blobs.get(`l3/acme/l3-a/1/${wrapped.digest}`)!;
    disk.blobs.set(path, moved);
    await refused(hierarchy.openL3(L3, 'billing', version, l2));
    disk.blobs.set(`l3/acme/l3-a/2/${wrapped.digest}`, moved);
    await refused(hierarchy.openL3({ ...L3, version: 2 }, 'billing', anew, next.l2));
  });

  it('two stored blobs that were swapped open nothing', async () => {
    const { hierarchy, disk, path, l2, version, parent } = await service();
    const two = await hierarchy.createL3({ ...L3, key: 'l3-b' }, 'payroll', parent, l2);
    const otherPath = `l3/acme/l3-b/1/${two.version.digest}`;
    const [a, b] = [disk.blobs.get(path)!, disk.blobs.get(otherPath)!];
    disk.blobs.set(path, b);
    disk.blobs.set(otherPath, a);
    const one = hierarchy.openL3(L3, 'billing', version, l2);
    await expect(one).rejects.toMatchObject({ code: 'integrity' });
  });
});
