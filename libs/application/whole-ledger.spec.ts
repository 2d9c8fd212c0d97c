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

  it('what lags, what was never made and what is of another ledger is no reason', async () => {
    await check('007', at('007'));
    await check('007', at('004'));
    await check(null, null);
    await check('004', at('007', 'another'));
  });
});
