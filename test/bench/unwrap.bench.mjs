/**
 * What the layers over a customer's wrapped seed add to an unwrap at the keystore: barrier (twice:
 * the blob, and the erasure key), erasure key, digest, HKDF, commitment. The keystore answers at once
 * here. Beside it a bare AES-256-GCM open of the same bytes. Stores in memory, and the product's own
 * SQLite files.
 */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Hierarchy } from '../../dist/libs/custody/keys/hierarchy.js';
import { Barrier } from '../../dist/libs/custody/seal/barrier.js';
import { BarrieredStore } from '../../dist/libs/custody/seal/barriered-store.js';
import { Keyring } from '../../dist/libs/custody/seal/keyring.js';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { openSqliteBlobStore } from '../../dist/libs/vault/sqlite/index.js';
import { interleaved, measured, medians, ratioOf } from './lib/measure.mjs';
import { base, micros, told } from './lib/report.mjs';

const ROUNDS = 15;
const OPERATIONS = { bare: 40_000, barrier: 20_000, memory: 5_000, stored: 2_000, l3: 5_000 };
/** As long as the text that OpenBao's transit engine makes of 32 bytes. */
const WRAPPED = randomBytes(89);
const SEED = randomBytes(32);
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

/** A tenant's L2 and one L3 in two stores, and how each is opened. */
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
  };
}

function bareOpening() {
  const key = createSecretKey(randomBytes(32));
  const iv = randomBytes(12);
  const aad = randomBytes(64);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad);
  const body = Buffer.concat([cipher.update(WRAPPED), cipher.final()]);
  const tag = cipher.getAuthTag();
  return () => {
    const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(aad).setAuthTag(tag);
    decipher.update(body);
    decipher.final();
  };
}

const times = (operations, act) =>
  measured(operations, async () => {
    for (let n = 0; n < operations; n += 1) await act();
  });

export async function run() {
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  const store = (role) => openSqliteBlobStore({ file: join(folder, role, 'blobs.db'), role });
  const stores = [await store('vault'), await store('erasure')];
  try {
    const barrier = new Barrier('local', Keyring.create(systemRandom), systemRandom);
    const [memory, stored] = [
      await opening(new Memory(), new Memory(), barrier),
      await opening(...stores, barrier),
    ];
    const blob = barrier.seal('l2/acme', SEED);
    const bare = bareOpening();
    const seen = await interleaved(ROUNDS, {
      bare: () => times(OPERATIONS.bare, bare),
      barrier: () => times(OPERATIONS.barrier, () => barrier.open('l2/acme', blob)),
      memory: () => times(OPERATIONS.memory, () => memory.l2()),
      stored: () => times(OPERATIONS.stored, () => stored.l2()),
      l3: () => times(OPERATIONS.l3, () => memory.l3()),
    });
    return shown(seen);
  } finally {
    for (const open of stores) await open.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function shown(seen) {
  const of = medians(seen);
  const row = (what, name) => ({
    ...base(what, micros(1e6 / of[name].perSecond), of[name].cpuMicros),
    ratio: ratioOf(seen, name, 'bare', 'cpuMicros'),
  });
  const rows = [
    row('bare AES-256-GCM open of 89 bytes, with a KeyObject', 'bare'),
    row('the barrier alone, once', 'barrier'),
    row('an L2: barrier twice, erasure key, digest, HKDF, commitment', 'memory'),
    row('… out of the SQLite files', 'stored'),
    row('an L3 under an opened L2: barrier, L2, digest, commitment', 'l3'),
  ];
  return told({
    name: 'unwrap',
    rounds: ROUNDS,
    rows,
    notShown: [
      'the call to the keystore, and its two records in the ledger',
      'what an operation costs at an Edge: none of these layers is touched there',
    ],
    figures: { of },
  });
}
