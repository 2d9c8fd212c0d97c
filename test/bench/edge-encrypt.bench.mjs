/**
 * P1 and P3: what the Edge adds to the cipher. 1 KiB records through the data plane in process, with
 * a cached data key and with a fresh one for each record, beside a bare createCipheriv loop with a
 * KeyObject. Turns are short and many, so that a slow spell of the machine meets all of them. The
 * ratios are of CPU time: all run alone on one thread, so that on an idle machine they are those of
 * the rates (a little harsher: the collector's helpers count), and others' work does not change them.
 */
import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { PooledRandom } from '../../dist/libs/edge/index.js';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { edgePlane } from './lib/edge-parts.mjs';
import { interleaved, measured, medians, ratioOf, sleep } from './lib/measure.mjs';
import { against, base, perSecond, told } from './lib/report.mjs';

const ROUNDS = 15;
const OPERATIONS = { bare: 60_000, cached: 60_000, fresh: 30_000 };
const RECORD = randomBytes(1024);
const WORK = { bytes: RECORD, context: null };
const IV_BYTES = 12;
const TICK_EVERY = 1_000;

function bare({ key, random, aad }) {
  for (let n = 0; n < OPERATIONS.bare; n += 1) {
    const cipher = createCipheriv('aes-256-gcm', key, random.bytes(IV_BYTES)).setAAD(aad);
    cipher.update(RECORD);
    cipher.final();
    cipher.getAuthTag();
  }
}

async function leased({ plane, clock }) {
  clock.tick();
  const done = await plane.encrypt('acme', WORK);
  if (done.bytes === undefined) throw done;
}

async function seal(of, operations) {
  for (let n = 0; n < operations; n += 1) {
    const done = of.plane.encrypt('acme', WORK);
    // The ticker cannot run inside a loop, and a stall of the machine ends a lease: as it must.
    if (!(done.bytes?.length > RECORD.length)) await leased(of);
    if (n % TICK_EVERY === 0) of.clock.tick();
  }
}

/** A turn of a plane whose lease is there: others' turns may have been too long for its ticker. */
async function sealing(of, operations) {
  await leased(of);
  return measured(operations, () => seal(of, operations));
}

export async function run() {
  const parts = {
    key: createSecretKey(randomBytes(32)),
    random: new PooledRandom(systemRandom),
    aad: randomBytes(64),
  };
  const [cached, fresh] = [edgePlane(), edgePlane({ off: true })];
  const seen = await interleaved(
    ROUNDS,
    {
      bare: () => measured(OPERATIONS.bare, () => bare(parts)),
      cached: () => sealing(cached, OPERATIONS.cached),
      fresh: () => sealing(fresh, OPERATIONS.fresh),
    },
    () => sleep(1),
  );
  return shown(seen);
}

function shown(seen) {
  const of = medians(seen);
  const rows = [
    base('bare createCipheriv + KeyObject', perSecond(of.bare.perSecond), of.bare.cpuMicros),
    against('P1', 'Edge in process, cached data key', ['≥', 0.9], {
      seen: perSecond(of.cached.perSecond),
      ratio: 1 / ratioOf(seen, 'cached', 'bare', 'cpuMicros'),
      cpuMicros: of.cached.cpuMicros,
    }),
    against('P3', 'Edge in process, a data key a record: time of bare', ['≤', 2.2], {
      seen: perSecond(of.fresh.perSecond),
      ratio: ratioOf(seen, 'fresh', 'bare', 'cpuMicros'),
      cpuMicros: of.fresh.cpuMicros,
    }),
  ];
  return told({
    name: 'edge-encrypt',
    rounds: ROUNDS,
    rows,
    notShown: [
      'AWS Encryption SDK: it is not installed here, so the other half of P1 is not measured',
      'a tenant’s first operation, which waits for Core; and contexts, which add an AAD a record',
    ],
    figures: { of },
  });
}
