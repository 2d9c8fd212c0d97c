import { commitmentOf, hkdf, lp, Secret, sha256Hex } from '@kcm/crypto';
import { KcmError, LeaseClock, type Random, systemClock, systemRandom } from '@kcm/kernel';
import { MemoryBlobs } from '@kcm/testing';
import { packBlob } from '../../../libs/custody/keys/blob.js';
import { Hierarchy } from '../../../libs/custody/keys/hierarchy.js';
import { blobPath, l2Aad, l3Aad, tekPath } from '../../../libs/custody/keys/key-identity.js';
import { Barrier } from '../../../libs/custody/seal/barrier.js';
import { BarrieredStore } from '../../../libs/custody/seal/barriered-store.js';
import { Keyring } from '../../../libs/custody/seal/keyring.js';
import {
  createRegionSecrets,
  loadRegionSecrets,
  storeRegionSecrets,
} from '../../../libs/custody/seal/region-secrets.js';
import { type BlobKind, type Identity, number, PLAIN, text } from './kind.js';

/** Every key that is made of it is the same one. */
const constant: Random = { bytes: (length) => Buffer.alloc(length, 0x11) };
const twins = Keyring.create(constant).rotated(constant);
const barrierOf = (region: string) => new Barrier(region, twins, systemRandom);
const copyOf = (secret: Secret): Buffer => secret.use((bytes) => Buffer.from(bytes));

const barrier: BlobKind = {
  name: 'a blob behind the barrier',
  sealedIn: 'libs/custody/seal/barrier.ts',
  own: { region: 'eu', path: 'l2/acme/l2-a/1/d', entry: 2 },
  others: {
    region: ['us', 'eul'],
    path: ['l2/bank/l2-a/1/d', '2/acme/l2-a/1/d', 'l3/acme/l2-a/1/d'],
    entry: [1, 3],
  },
  seal: async () => ({
    blob: barrierOf('eu').seal('l2/acme/l2-a/1/d', PLAIN),
    open: async (as, blob) => barrierOf(text(as, 'region')).open(text(as, 'path'), blob),
  }),
  said: ['entry'],
  rewritten: (blob, as) => {
    const copy = Buffer.from(blob);
    copy.writeUInt32BE(number(as, 'entry'), 5);
    return copy;
  },
  refusals: ['integrity'],
};

const erasureKey: BlobKind = {
  name: 'an erasure key',
  sealedIn: barrier.sealedIn,
  own: { region: 'eu', tenant: 'acme' },
  others: { region: ['us'], tenant: ['bank', 'acm'] },
  seal: async () => ({
    blob: barrierOf('eu').seal(tekPath('acme'), PLAIN),
    open: async (as, blob) => {
      const disk = new MemoryBlobs();
      await disk.put(tekPath(text(as, 'tenant')), blob);
      const store = new BarrieredStore(disk, () => barrierOf(text(as, 'region')));
      return (await store.get(tekPath(text(as, 'tenant'))))!;
    },
  }),
  refusals: ['integrity'],
};

const regionSecret: BlobKind = {
  name: 'a secret of the region',
  sealedIn: barrier.sealedIn,
  own: { region: 'eu', name: 'signing' },
  others: { region: ['us'], name: ['issuer', 'transport', 'ca'] },
  seal: async () => {
    const random: Random = {
      bytes: (length) => (length === 32 ? Buffer.from(PLAIN) : systemRandom.bytes(length)),
    };
    // The first draw, for the signing key, is PLAIN; the others' bytes do not matter here.
    const { secrets, keys } = await createRegionSecrets('eu', random, systemClock);
    const disk = new MemoryBlobs();
    await storeRegionSecrets(new BarrieredStore(disk, () => barrierOf('eu')), secrets, keys);
    const pathOf = (name: string) =>
      [...disk.blobs.keys()].find((path) => path.startsWith(`sys/${name}/`))!;
    return {
      blob: disk.blobs.get(pathOf('signing'))!,
      open: async (as, blob) => {
        const moved = new MemoryBlobs();
        for (const [path, bytes] of disk.blobs) await moved.put(path, bytes);
        await moved.put(pathOf(text(as, 'name')), blob);
        const store = new BarrieredStore(moved, () => barrierOf(text(as, 'region')));
        const loaded = await loadRegionSecrets(store, keys);
        return copyOf(loaded[text(as, 'name') as 'signing']);
      },
    };
  },
  refusals: ['integrity'],
};

const master = Secret.copy(Buffer.alloc(32, 0x33));
const keyringOf = (as: Identity) => ({ region: text(as, 'region'), setId: text(as, 'setId') });
const keyring: BlobKind = {
  name: 'the keyring',
  sealedIn: 'libs/custody/seal/keyring.ts',
  own: { region: 'eu', setId: 'a1' },
  others: { region: ['us', 'eua'], setId: ['b1', '1'] },
  seal: async () => {
    const ring = Keyring.create({ bytes: () => Buffer.from(PLAIN) });
    return {
      blob: ring.seal(master, systemRandom, { region: 'eu', setId: 'a1' }),
      open: async (as, blob) => copyOf(Keyring.open(master, blob, keyringOf(as)).key(1)!),
    };
  },
  /** With the key check that is asked for there. */
  rewritten: (blob, as) => {
    const check = commitmentOf(master, lp('kcm/master/v1', text(as, 'region'), text(as, 'setId')));
    return Buffer.concat([blob.subarray(0, 5), Buffer.from(check, 'hex'), blob.subarray(21)]);
  },
  refusals: ['integrity', 'WrongMasterKey'],
};

const keyOf = (as: Identity) => ({
  tenant: text(as, 'tenant'),
  key: text(as, 'key'),
  version: number(as, 'version'),
});
const parentOf = (as: Identity) => ({ id: text(as, 'parent'), version: text(as, 'parentVersion') });
const levelOf = (as: Identity) => (as['level'] === 'L2' ? 'l2' : 'l3');
const headerOf = (as: Identity): Buffer =>
  levelOf(as) === 'l2'
    ? l2Aad(keyOf(as), parentOf(as))
    : l3Aad(keyOf(as), text(as, 'service'), parentOf(as));
/** The one key of both levels: the tenant's erasure key, and the L2. */
const outer = Buffer.alloc(32, 0x44);
const sent = new LeaseClock(systemClock).reading();
/** A keystore that binds nothing: what it wrapped is what it was given. */
const answered = <T>(value: T) =>
  Promise.resolve({ ok: true, value, callId: 'c', sent, providerRequestId: null } as const);

/** Opens a blob that was moved to where `as` looks for it, as its level does. */
async function openKey(
  as: Identity,
  blob: Buffer,
  recorded: { readonly digest: string; readonly commitment: string },
): Promise<Buffer> {
  const [vault, erasure] = [new MemoryBlobs(), new MemoryBlobs()];
  await vault.put(blobPath(levelOf(as), keyOf(as), recorded.digest), blob);
  await erasure.put(tekPath(text(as, 'tenant')), outer);
  const hierarchy = new Hierarchy(vault, erasure, systemRandom);
  const version = { ...recorded, wrappedBy: parentOf(as) };
  if (levelOf(as) === 'l3')
    return copyOf(
      await hierarchy.openL3(keyOf(as), text(as, 'service'), version, Secret.copy(outer)),
    );
  const opened = await hierarchy.openL2(keyOf(as), version, (wrapped) => answered(wrapped));
  if (!opened.ok) throw new KcmError(opened.code, opened.detail);
  return copyOf(opened.value);
}
/** A blob's own bytes behind another header. */
const behind = (own: Identity) => (blob: Buffer, as: Identity) =>
  packBlob(headerOf(as), blob.subarray(4 + headerOf(own).length));

const L2: Identity = {
  level: 'L2',
  tenant: 'acme',
  key: 'l2-a',
  version: 1,
  service: 'billing',
  parent: 'rk-1',
  parentVersion: '1',
};
const MOVES = {
  tenant: ['bank', 'acmel'],
  key: ['l2-b', '2-a'],
  version: [2],
  parent: ['rk-2', 'rk-11'],
  parentVersion: ['2', ''],
};
const tenantKey: BlobKind = {
  name: 'a tenant key (L2)',
  sealedIn: 'libs/custody/keys/hierarchy.ts',
  own: L2,
  others: { ...MOVES, level: ['L3'], service: [] },
  seal: async () => {
    const [vault, erasure] = [new MemoryBlobs(), new MemoryBlobs()];
    await erasure.put(tekPath('acme'), outer);
    const seeds: Random = {
      bytes: (length) => (length === 32 ? Buffer.from(PLAIN) : systemRandom.bytes(length)),
    };
    const made = await new Hierarchy(vault, erasure, seeds).createL2(keyOf(L2), 'rk-1', (seed) =>
      answered({ bytes: Buffer.from(seed), keyVersion: '1' }),
    );
    if (!made.ok) throw new Error(made.code);
    const { version } = made.value;
    const blob = vault.blobs.get(blobPath('l2', keyOf(L2), version.digest))!;
    const body = sha256Hex(blob.subarray(4 + headerOf(L2).length));
    return {
      blob,
      open: async (as, moved) => {
        // An L3 is recorded with the digest of what lies there.
        const digest = levelOf(as) === 'l2' ? version.digest : body;
        const opened = await openKey(as, moved, { ...version, digest });
        const info = lp('kcm/l2/v1', 'acme', 'l2-a', '1');
        return opened.equals(copyOf(hkdf(Secret.copy(PLAIN), Buffer.alloc(0), info)))
          ? PLAIN
          : opened;
      },
    };
  },
  rewritten: behind(L2),
  refusals: ['integrity', 'decryption_failed'],
};

const L3: Identity = { ...L2, level: 'L3', key: 'l3-a', parent: 'l2-a' };
const serviceKey: BlobKind = {
  name: 'a service key (L3)',
  sealedIn: 'libs/custody/keys/hierarchy.ts',
  own: L3,
  others: {
    ...MOVES,
    key: ['l3-b', '3-a'],
    parent: ['l2-b', 'l2-a1'],
    service: ['payroll', 'billingl'],
    level: ['L2'],
  },
  seal: async () => {
    const vault = new MemoryBlobs();
    const hierarchy = new Hierarchy(vault, new MemoryBlobs(), systemRandom);
    const key = Secret.copy(PLAIN);
    const by = parentOf(L3);
    const { digest } = await hierarchy.wrapL3(keyOf(L3), 'billing', by, Secret.copy(outer), key);
    const commitment = commitmentOf(key, lp('L3', 'acme', 'l3-a', '1'));
    const blob = vault.blobs.get(blobPath('l3', keyOf(L3), digest))!;
    return { blob, open: (as, moved) => openKey(as, moved, { digest, commitment }) };
  },
  rewritten: behind(L3),
  refusals: ['integrity', 'decryption_failed'],
};

export const AT_REST: readonly BlobKind[] = [
  barrier,
  erasureKey,
  regionSecret,
  keyring,
  tenantKey,
  serviceKey,
];
