/**
 * How long a region takes to open: shares of people, and what follows in custody (keyring, region's
 * keys). Beside it the bare library that puts the shares together. And how fast everything behind
 * the barrier is sealed anew after a rotation, in the product's own SQLite file.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { combine, split } from 'shamir-secret-sharing';
import { Barrier } from '../../dist/libs/custody/seal/barrier.js';
import { BarrieredStore } from '../../dist/libs/custody/seal/barriered-store.js';
import { Keyring } from '../../dist/libs/custody/seal/keyring.js';
import { SealService } from '../../dist/libs/custody/seal/seal-service.js';
import { systemClock, systemRandom, systemScheduler } from '../../dist/libs/kernel/index.js';
import { openSqliteBlobStore } from '../../dist/libs/vault/sqlite/index.js';
import { interleaved, measured, medians, ratioOf } from './lib/measure.mjs';
import { base, micros, told } from './lib/report.mjs';

const ROUNDS = 9;
const OPERATIONS = { bare: 500, three: 40, five: 40 };
const BLOBS = 2_000;

const times = (operations, act) =>
  measured(operations, async () => {
    for (let n = 0; n < operations; n += 1) await act();
  });

/** A region of k of n on a vault, and how it is opened by its shares. */
async function opening(vault, region, threshold, shares) {
  const serviceOf = () =>
    new SealService({
      region,
      vault,
      random: systemRandom,
      clock: systemClock,
      scheduler: systemScheduler,
    });
  const made = await serviceOf().init(
    { status: 'uninitialized' },
    { seal: 'shamir', shares, threshold },
  );
  const state = { status: 'sealed', config: made.config };
  return async () => {
    const seal = serviceOf();
    for (const share of made.shares.slice(0, threshold)) await seal.unseal(state, share);
    if (seal.sealed) throw new Error('it did not open');
    seal.seal();
  };
}

async function resealing(vault) {
  const keyring = Keyring.create(systemRandom);
  const barrier = new Barrier('local', keyring, systemRandom);
  const store = new BarrieredStore(vault, () => barrier);
  const paths = Array.from({ length: BLOBS }, (_, n) => `l2/acme/key-${n}/1/d`);
  for (const path of paths) await store.put(path, Buffer.alloc(160, 7));
  return async () => {
    keyring.adopt(keyring.rotated(systemRandom));
    for (const path of paths) await store.reseal(path);
  };
}

export async function run() {
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  const vault = await openSqliteBlobStore({ file: join(folder, 'vault.db'), role: 'vault' });
  try {
    const three = await opening(vault, 'three', 3, 5);
    const five = await opening(vault, 'five', 5, 9);
    const anew = await resealing(vault);
    const shares = (await split(Uint8Array.from(systemRandom.bytes(32)), 5, 3)).slice(0, 3);
    const seen = await interleaved(ROUNDS, {
      bare: () => times(OPERATIONS.bare, () => combine(shares)),
      three: () => times(OPERATIONS.three, three),
      five: () => times(OPERATIONS.five, five),
      reseal: () => measured(BLOBS, anew),
    });
    return shown(seen);
  } finally {
    await vault.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function shown(seen) {
  const of = medians(seen);
  const row = (what, name, beside) => ({
    ...base(what, micros(1e6 / of[name].perSecond), of[name].cpuMicros),
    ...(beside === undefined ? {} : { ratio: ratioOf(seen, name, beside, 'cpuMicros') }),
  });
  const rows = [
    row('three shares put together by the bare library', 'bare'),
    row('a region of 3 of 5: shares proved, keyring, keys of the region', 'three', 'bare'),
    row('a region of 5 of 9', 'five', 'bare'),
    row('one blob sealed anew after a rotation, in a SQLite file', 'reseal'),
  ];
  return told({
    name: 'unseal',
    rounds: ROUNDS,
    rows,
    notShown: [
      'the record in the ledger, the certificate of the KMIP door and its listening, which follow',
      'a keystore that keeps the MasterKey: its answer is what that takes',
    ],
    figures: { of },
  });
}
