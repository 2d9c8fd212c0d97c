/**
 * Moving to a newer version, on one core: an L3 wrapped anew under the next version of the L2
 * (opened, wrapped, stored, opened again from the store), in memory and in the product's own SQLite
 * file with its sync. The event beside it is the ledger's: bench `append`. Beside it the opening of
 * that L3, which is what a lease costs.
 */
import { withOpenings } from './lib/hierarchy-parts.mjs';
import { interleaved, medians, ratioOf, repeated } from './lib/measure.mjs';
import { base, perSecond, told } from './lib/report.mjs';

const ROUNDS = 7;
const OPERATIONS = { open: 4_000, memory: 2_000, stored: 300 };

export const run = () =>
  withOpenings(async ({ memory, stored }) => {
    const seen = await interleaved(ROUNDS, {
      open: () => repeated(OPERATIONS.open, () => memory.l3()),
      memory: () => repeated(OPERATIONS.memory, () => memory.rewrap()),
      stored: () => repeated(OPERATIONS.stored, () => stored.rewrap()),
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
  });
