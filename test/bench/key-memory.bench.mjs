/**
 * What 10,000 live L3 take: in Core's memory, and as an Edge's leases, before and after a record of
 * each, beside buffers of 32 bytes alone. Heap and buffers are V8's own count after collections; RSS
 * has OpenSSL's copies too, and what the allocator has not given back. And how long a collection of
 * that Edge stops it.
 */
import { randomBytes } from 'node:crypto';
import { KeyMemory } from '../../dist/libs/custody/keys/key-memory.js';
import { Secret } from '../../dist/libs/crypto/index.js';
import { ownMemory } from '../../dist/libs/kernel/index.js';
import { edgePlane } from './lib/edge-parts.mjs';
import { base, millis, told } from './lib/report.mjs';

const KEYS = 10_000;
const MIB = 2 ** 20;
const COLLECTIONS = 9;
/** The ticker cannot run inside a loop. */
const TICK_EVERY = 200;
const CACHED = { bytes: randomBytes(64), context: null };
const NO_RECORD = { bytes: Buffer.from('no record'), context: null };
const tenantOf = (n) => `tenant-${String(n).padStart(5, '0')}`;

function used() {
  for (let round = 0; round < 3; round += 1) globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { own: heapUsed + external, rss };
}

/** What `fill` has made is kept until it was measured. */
async function growth(fill) {
  const before = used();
  const kept = await fill();
  const after = used();
  return { own: after.own - before.own, rss: after.rss - before.rss, kept };
}

function buffers() {
  return Array.from({ length: KEYS }, () => ownMemory(32));
}

function core() {
  const memory = new KeyMemory();
  for (let n = 0; n < KEYS; n += 1) {
    const tenant = tenantOf(n);
    memory.putL3(tenant, `${tenant}/l3-0123456789ab/1`, 'billing', Secret.own(randomBytes(32)));
  }
  return memory;
}

async function each({ plane, clock }, act) {
  for (let n = 0; n < KEYS; n += 1) {
    if (n % TICK_EVERY === 0) clock.tick();
    await act(plane, tenantOf(n));
  }
  return plane;
}

/** Something that is no record asks for the lease, and is refused under it. */
const leased = (of) => each(of, (plane, tenant) => plane.decrypt(tenant, NO_RECORD));

const cached = (of) =>
  each(of, async (plane, tenant) => {
    const done = await plane.encrypt(tenant, CACHED);
    if (done.keyVersion === undefined) throw done;
  });

function stops() {
  const took = Array.from({ length: COLLECTIONS }, () => {
    const from = performance.now();
    globalThis.gc();
    return performance.now() - from;
  });
  return took.toSorted((a, b) => a - b);
}

export async function run() {
  const idle = stops();
  const bare = await growth(buffers);
  const inCore = await growth(core);
  const edge = edgePlane();
  const leases = await growth(() => leased(edge));
  const dataKeys = await growth(() => cached(edge));
  const held = stops();
  const shown = ({ own, rss }) => `${(own / MIB).toFixed(1)} MiB, RSS +${(rss / MIB).toFixed(1)}`;
  const middle = (sorted) => sorted[Math.floor(sorted.length / 2)];
  const row = (what, seen, of) => ({ ...base(what, shown(seen)), ratio: seen.own / of.own });
  return told({
    name: 'key-memory',
    rounds: 1,
    rows: [
      row(`${KEYS} buffers of 32 bytes`, bare, bare),
      row(`${KEYS} L3 in Core, a tenant each`, inCore, bare),
      row(`${KEYS} leases of an Edge`, leases, bare),
      row('… a data key each, besides', dataKeys, bare),
      { ...base('a collection: before', millis(middle(idle))), ratio: null },
      { ...base('… with all of them', millis(middle(held))), ratio: null },
    ],
    notShown: [
      'Core’s view of 10,000 tenants (keys, locks, leases), which is folded from the ledger',
      'the wrapped keys of a lease on their way, and the TLS connection that they come by',
    ],
    figures: { bare: own(bare), core: own(inCore), leases: own(leases), dataKeys: own(dataKeys) },
  });
}

const own = ({ own: bytes, rss }) => ({ bytes, rss });
