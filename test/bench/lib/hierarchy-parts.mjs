// A tenant's key and a service's key under it, with the real hierarchy and barrier; the keystore
// answers at once.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Hierarchy } from '../../../dist/libs/custody/keys/hierarchy.js';
import { Barrier } from '../../../dist/libs/custody/seal/barrier.js';
import { BarrieredStore } from '../../../dist/libs/custody/seal/barriered-store.js';
import { Keyring } from '../../../dist/libs/custody/seal/keyring.js';
import { systemRandom } from '../../../dist/libs/kernel/index.js';
import { openSqliteBlobStore } from '../../../dist/libs/vault/sqlite/index.js';

/** As long as the text that OpenBao's transit engine makes of 32 bytes. */
export const WRAPPED = randomBytes(89);
const L2 = { tenant: 'acme', key: 'l2-0123456789ab', version: 1 };
const L3 = { tenant: 'acme', key: 'l3-0123456789ab', version: 1 };

class Memory {
  blobs = new Map();
  async put(key, bytes) {
    this.blobs.set(key, Buffer.from(bytes));
  }
  async putIfAbsent(key, bytes) {
    if (!this.blobs.has(key)) this.blobs.set(key, Buffer.from(bytes));
    return true;
  }
  async get(key) {
    return this.blobs.get(key) ?? null;
  }
}

const answered = async (value) => ({ ok: true, value, callId: 'c', providerRequestId: null });

/** A tenant's L2 and one L3 in two stores, how each is opened, and the L3 wrapped anew. */
async function opening(vault, erasure, barrier) {
  const behind = (store) => new BarrieredStore(store, () => barrier);
  const hierarchy = new Hierarchy(behind(vault), behind(erasure), systemRandom);
  // The keystore gives the seed back that was drawn, which this bench has to know.
  let seed;
  const made = await hierarchy.createL2(L2, 'rk-1', (drawn) => {
    seed = Buffer.from(drawn);
    return answered({ bytes: WRAPPED, keyVersion: '1' });
  });
  const { l2, version } = made.value;
  const parent = { id: L2.key, version: '1' };
  const service = await hierarchy.createL3(L3, 'billing', parent, l2);
  return {
    async l2() {
      const opened = await hierarchy.openL2(L2, version, () => answered(Buffer.from(seed)));
      if (!opened.ok) throw new Error(opened.code);
      opened.value.dispose();
    },
    async l3() {
      (await hierarchy.openL3(L3, 'billing', service.version, l2)).dispose();
    },
    /** As Core does it: opened, wrapped under the next version of the L2, opened again. */
    async rewrap() {
      const l3 = await hierarchy.openL3(L3, 'billing', service.version, l2);
      const anew = await hierarchy.wrapL3(L3, 'billing', { ...parent, version: '2' }, l2, l3);
      l3.dispose();
      const { commitment } = service.version;
      (await hierarchy.openL3(L3, 'billing', { ...anew, commitment }, l2)).dispose();
      return anew.digest;
    },
  };
}

/** The same over stores in memory and over the product's own SQLite files, while `use` runs. */
export async function withOpenings(use) {
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  const store = (role) => openSqliteBlobStore({ file: join(folder, role, 'blobs.db'), role });
  const stores = [await store('vault'), await store('erasure')];
  try {
    const barrier = new Barrier('local', Keyring.create(systemRandom), systemRandom);
    const memory = await opening(new Memory(), new Memory(), barrier);
    return await use({ barrier, memory, stored: await opening(...stores, barrier) });
  } finally {
    for (const open of stores) await open.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
