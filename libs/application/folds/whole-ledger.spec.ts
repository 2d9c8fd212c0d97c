import type { LedgerId, Position } from '@kcm/kernel';
import type { Checkpoint } from '@kcm/read-models';
import { MemoryLedger } from '@kcm/testing';
import { assertLedgerWhole } from './whole-ledger.js';

describe('a ledger and what was made from it', () => {
  const at = (position: string, ledger = 'memory'): Checkpoint => ({
    ledger: ledger as LedgerId,
    position: position as Position,
  });
  const check = (head: string | null, known: Checkpoint | null) => {
    const ledger = new MemoryLedger();
    ledger.head = () => Promise.resolve(head as Position | null);
    const writer = { checkpoint: () => Promise.resolve(known) };
    return assertLedgerWhole(ledger, writer, [{ name: 'tenants', version: 1 }]);
  };

  it('a ledger that ends before a checkpoint of its own is refused, and both are named', async () => {
    const lost = { code: 'integrity', message: expect.stringMatching(/ends at 004.*tenants.*007/) };
    await expect(check('004', at('007'))).rejects.toMatchObject(lost);
    await expect(check(null, at('001'))).rejects.toMatchObject({ code: 'integrity' });
  });

  it('one that something else was made from is refused, and both are named', async () => {
    const other = { code: 'integrity', message: expect.stringMatching(/tenants.*other.*memory/) };
    await expect(check('007', at('004', 'other'))).rejects.toMatchObject(other);
    await expect(check(null, at('004', 'other'))).rejects.toMatchObject(other);
  });

  it('what lags and what was never made is no reason', async () => {
    await check('007', at('007'));
    await check('007', at('004'));
    await check(null, null);
  });
});
