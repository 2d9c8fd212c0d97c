import { KcmError, type NewEvent, type StreamId } from '@kcm/kernel';
import { settled } from '@kcm/testing';
import { SimClock } from '@kcm/testing/edge';
import {
  LedgerConflict,
  LedgerFull,
  LedgerMoved,
  LedgerOutcomeUnknown,
  LedgerUnavailable,
} from './errors.js';
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
  let hanging: Promise<void> | null;
  let ledger: WatchedLedger;
  beforeEach(() => {
    clock = new SimClock();
    [seen, broken, replayed, proofs, hanging] = [[], null, false, 0, null];
    // A double of the ledger below: it fails as it is told.
    const below = {
      append: async () => {
        if (hanging === null) clock.advance(20);
        await hanging;
        if (broken !== null) throw broken;
        return { revision: 0, position: '1', replayed };
      },
      prove: async () => {
        proofs += 1;
        await hanging;
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
    ['moved', new LedgerMoved(), 'moved'],
    ['unknown', new LedgerOutcomeUnknown(), 'unknown'],
    ['unavailable', new LedgerUnavailable(), 'unavailable'],
    ['unavailable', new Error('anything'), 'unavailable'],
  ] as const)('tells %s of an append and throws it on; its trouble then: %3$s', async (...row) => {
    const [outcome, error, trouble] = row;
    broken = error;
    expect(await append()).toBe(error);
    expect(seen).toEqual([[outcome, 0.02]]);
    expect(ledger.trouble()).toBe(trouble);
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
    expect([ledger.trouble(), proofs]).toEqual([null, 0]);
  });

  it('finds out by itself that it is over, asking at most once a second', async () => {
    broken = new LedgerFull();
    await append();
    for (let asked = 0; asked < 5; asked += 1) expect(ledger.trouble()).toBe('full');
    await settled();
    expect([ledger.trouble(), proofs]).toEqual(['full', 1]);
    broken = null;
    clock.advance(1_000);
    // What is known is told at once; the store is asked behind it.
    expect(ledger.trouble()).toBe('full');
    await settled();
    expect([ledger.trouble(), proofs]).toEqual([null, 2]);
  });

  it('that hangs is stalled after some seconds, and no more once it has answered', async () => {
    let free = (): void => {};
    hanging = new Promise((resolve) => (free = resolve));
    const first = append();
    clock.advance(1_000);
    const second = append();
    clock.advance(3_999);
    expect([ledger.trouble(), ledger.oldestMs()]).toEqual([null, 4_999]);
    clock.advance(1);
    expect(ledger.trouble()).toBe('stalled');
    free();
    await Promise.all([first, second]);
    expect([ledger.trouble(), ledger.oldestMs()]).toEqual([null, 0]);
  });

  it('that hangs after a failure is stalled too: what asks the store waits for nobody', async () => {
    broken = new LedgerFull();
    await append();
    hanging = new Promise(() => {});
    for (let asked = 0; asked < 10; asked += 1) {
      ledger.trouble();
      clock.advance(1_000);
      await settled();
    }
    expect([ledger.trouble(), proofs]).toEqual(['stalled', 1]);
  });
});
