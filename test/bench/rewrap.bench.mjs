/**
 * Moving to a newer version, on one core: an L3 wrapped anew under the next version of the L2
 * (opened, wrapped, stored, opened again from the store), in memory and in the product's own SQLite
 * file with its sync. The event beside it is the ledger's: bench `append`. Beside it the opening of
 * that L3, which is what a lease costs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Barrier } from '../../dist/libs/custody/seal/barrier.js';
import { Keyring } from '../../dist/libs/custody/seal/keyring.js';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { openSqliteBlobStore } from '../../dist/libs/vault/sqlite/index.js';
import { Memory, opening } from './lib/hierarchy-parts.mjs';
import { interleaved, measured, medians, ratioOf } from './lib/measure.mjs';
import { base, perSecond, told } from './lib/report.mjs';

const ROUNDS = 7;
const OPERATIONS = { open: 4_000, memory: 2_000, stored: 300 };

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
    const memory = await opening(new Memory(), new Memory(), barrier);
    const stored = await opening(...stores, barrier);
    const seen = await interleaved(ROUNDS, {
      open: () => times(OPERATIONS.open, () => memory.l3()),
      memory: () => times(OPERATIONS.memory, () => memory.rewrap()),
      stored: () => times(OPERATIONS.stored, () => stored.rewrap()),
    });
    const of = medians(seen);
    const row = (what, name) => ({
      ...base(what, perSecond(of[name].perSecond), of[name].cpuMicros),
      ratio: ratioOf(seen, name, 'open', 'cpuMicros'),
    });
    return told({
      name: 'rewrap',
      rounds: ROUNDS,
      rows: [
        row('an L3 opened under its L2', 'open'),
        row('an L3 wrapped anew: opened, wrapped, stored, opened again', 'memory'),
        row('… into the SQLite file, synced each time', 'stored'),
      ],
      notShown: ['the event of each in the ledger, and the wait for the process that asks for it'],
      figures: { of },
    });
  } finally {
    for (const open of stores) await open.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
