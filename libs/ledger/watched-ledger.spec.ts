import { KcmError, type NewEvent, type StreamId } from '@kcm/kernel';
import { SimClock } from '@kcm/testing/edge';
import { LedgerConflict, LedgerFull, LedgerOutcomeUnknown, LedgerUnavailable } from './errors.js';
import type { FilteredFeed, Ledger, ProvableLedger } from './ledger.js';
import { WatchedLedger } from './watched-ledger.js';

const stream = 'tenant-acme' as StreamId;
const events = [{}] as unknown as [NewEvent];

describe('A watched ledger', () => {
  let clock: SimClock;
  let seen: [string, number][];
  let broken: Error | null;
  let replayed: boolean;
  let proofs: number;
  let ledger: WatchedLedger;
  beforeEach(() => {
    clock = new SimClock();
    [seen, broken, replayed, proofs] = [[], null, false, 0];
    // A double of the ledger below: it fails as it is told.
    const below = {
      append: async () => {
        clock.advance(20);
        if (broken !== null) throw broken;
        return { revision: 0, position: '1', replayed };
      },
      prove: async () => {
        proofs += 1;
        if (broken !== null) throw broken;
      },
    } as unknown as Ledger & FilteredFeed & ProvableLedger;
    ledger = new WatchedLedger(below, clock, (outcome, seconds) => seen.push([outcome, seconds]));
  });
  const append = () => ledger.append(stream, 'noStream', events).catch((error: unknown) => error);

  it.each([
    ['conflict', new LedgerConflict(stream, 'noStream', 3), null],
    ['refused', new KcmError('payload_too_large', 'too large'), null],
    ['full', new LedgerFull(), 'full'],
    ['unknown', new LedgerOutcomeUnknown(), 'unknown'],
    ['unavailable', new LedgerUnavailable(), 'unavailable'],
    ['unavailable', new Error('anything'), 'unavailable'],
  ] as const)('tells %s of an append and throws it on; its trouble then: %3$s', async (...row) => {
    const [outcome, error, trouble] = row;
    broken = error;
    expect(await append()).toBe(error);
    expect(seen).toEqual([[outcome, 0.02]]);
    expect(await ledger.trouble()).toBe(trouble);
  });

  it('tells what was stored, and what was stored already', async () => {
    await append();
    replayed = true;
    await append();
    expect(seen.map(([outcome]) => outcome)).toEqual(['stored', 'replayed']);
  });

  it('has no trouble any more after the next append that is stored', async () => {
    broken = new LedgerFull();
    await append();
    broken = null;
    await append();
    expect([await ledger.trouble(), proofs]).toEqual([null, 0]);
  });

  it('finds out by itself that it is over, asking at most once a second', async () => {
    broken = new LedgerFull();
    await append();
    for (let asked = 0; asked < 5; asked += 1) expect(await ledger.trouble()).toBe('full');
    expect(proofs).toBe(1);
    broken = null;
    expect(await ledger.trouble()).toBe('full');
    clock.advance(1_000);
    expect(await ledger.trouble()).toBeNull();
    expect(proofs).toBe(2);
  });
});
