/**
 * What the layers over a customer's wrapped seed add to an unwrap at the keystore: barrier (twice:
 * the blob, and the erasure key), erasure key, digest, HKDF, commitment. The keystore answers at once
 * here. Beside it a bare AES-256-GCM open of the same bytes. Stores in memory, and the product's own
 * SQLite files.
 */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { withOpenings, WRAPPED } from './lib/hierarchy-parts.mjs';
import { interleaved, medians, ratioOf, repeated } from './lib/measure.mjs';
import { base, micros, told } from './lib/report.mjs';

const ROUNDS = 15;
const OPERATIONS = { bare: 40_000, barrier: 20_000, memory: 5_000, stored: 2_000, l3: 5_000 };
const SEED = randomBytes(32);

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

export const run = () =>
  withOpenings(async ({ barrier, memory, stored }) => {
    const blob = barrier.seal('l2/acme', SEED);
    const bare = bareOpening();
    const seen = await interleaved(ROUNDS, {
      bare: () => repeated(OPERATIONS.bare, bare),
      barrier: () => repeated(OPERATIONS.barrier, () => barrier.open('l2/acme', blob)),
      memory: () => repeated(OPERATIONS.memory, () => memory.l2()),
      stored: () => repeated(OPERATIONS.stored, () => stored.l2()),
      l3: () => repeated(OPERATIONS.l3, () => memory.l3()),
    });
    return shown(seen);
  });

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
