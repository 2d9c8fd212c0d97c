import { KcmError, type Position } from '@kcm/kernel';
import type { UsageReport } from '../calls/journal.js';
import { UsageBook } from './usage-book.js';
import { VersionUse } from './version-use.js';

const report = (seq: number, boot = 'boot-1'): UsageReport => ({
  holder: 'edge:e1',
  boot,
  seq,
  from: '2030-01-01T00:00:00.000Z',
  to: '2030-01-01T00:01:00.000Z',
  entries: [],
  statement: 'a.b.c',
});

describe('A usage report', () => {
  let recorded: UsageReport[];
  let refuse: KcmError | null;
  let book: UsageBook;
  let uses: VersionUse;
  const granted = (key: string) =>
    uses.apply({
      type: 'LeasesGranted',
      data: { grants: [{ holder: 'edge:e1', boot: 'b', key, version: 1, grantId: 'g' }] },
      meta: { tenant: 'acme' },
    } as never);
  beforeEach(() => {
    recorded = [];
    refuse = null;
    const journal = {
      usage: async (said: UsageReport) => {
        await Promise.resolve();
        if (refuse !== null) throw refuse;
        recorded.push(said);
        return '1' as Position;
      },
    };
    uses = new VersionUse({ monotonicMs: () => 0 });
    book = new UsageBook(journal, uses);
  });
  const seqs = () => recorded.map(({ boot, seq }) => `${boot}/${seq}`);

  it('is recorded once, though it comes again while the first is under way, and later', async () => {
    await Promise.all([book.record(report(1)), book.record(report(1))]);
    await book.record(report(1));
    await book.record(report(2));
    await book.record(report(1));
    expect(seqs()).toEqual(['boot-1/1', 'boot-1/2']);
  });

  it('of another boot is another report', async () => {
    await book.record(report(1));
    await book.record(report(1, 'boot-2'));
    expect(seqs()).toEqual(['boot-1/1', 'boot-2/1']);
  });

  it('that could not be recorded is taken when it comes again', async () => {
    refuse = new KcmError('ledger_unavailable', 'The ledger is away.');
    await expect(book.record(report(1))).rejects.toBe(refuse);
    refuse = null;
    await book.record(report(1));
    expect(seqs()).toEqual(['boot-1/1']);
  });

  it('that an earlier boot of Core recorded is known from the ledger', async () => {
    book.apply({ type: 'UsageReported', data: report(3) } as never);
    await book.record(report(3));
    await book.record(report(4));
    expect(seqs()).toEqual(['boot-1/4']);
  });

  it('is left without what it says of a version that its holder was never granted', async () => {
    const entry = { tenant: 'acme', version: 1, refused: {}, bytes: 0 } as const;
    const mine = { ...entry, key: 'l3-1', operation: 'encrypt', ok: 2 } as const;
    const another = { ...mine, key: 'l3-2' } as const;
    const nowhere = { ...entry, key: '-', version: 0, operation: 'dataKey', ok: 7 } as const;
    const refusals = { ...nowhere, ok: 0, refused: { not_found: 3 } } as const;
    granted('l3-1');
    const entries = [mine, another, nowhere, refusals];
    expect(await book.record({ ...report(1), entries })).toBe(2);
    expect(await book.record({ ...report(1, 'boot-2'), holder: 'edge:e2', entries })).toBe(3);
    expect(recorded.map((said) => said.entries)).toEqual([[mine, refusals], [refusals]]);
  });

  it('says of what was moved how much is new: a repeat, here or by another boot, is not', async () => {
    const moving = (seq: number, boot: string, moved: readonly string[]): UsageReport => ({
      ...report(seq, boot),
      entries: [
        {
          tenant: 'acme',
          key: 'l3-1',
          version: 1,
          operation: 'rewrapFrom',
          ok: moved.length,
          refused: {},
          bytes: 0,
          moved,
        },
      ],
    });
    granted('l3-1');
    const fresh = () => recorded.map(({ entries }) => entries[0]?.fresh);
    await book.record(moving(1, 'boot-1', ['a', 'b', 'b']));
    await book.record(moving(1, 'boot-2', ['b', 'c']));
    expect(fresh()).toEqual([2, 1]);
    refuse = new KcmError('ledger_unavailable', 'away');
    await expect(book.record(moving(2, 'boot-1', ['d']))).rejects.toBe(refuse);
    refuse = null;
    await book.record(moving(2, 'boot-1', ['d']));
    expect(fresh()).toEqual([2, 1, 1]);
  });
});
