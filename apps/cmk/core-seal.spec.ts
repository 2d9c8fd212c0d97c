import { systemScheduler } from '@kcm/kernel';
import { CoreSeal } from './core-seal.js';

describe('The seal of Core as another process sees it', () => {
  let recorded: boolean;
  let answer: () => Promise<unknown>;
  let ended: number;
  let seal: CoreSeal;
  const scheduler = { after: () => () => undefined } as unknown as typeof systemScheduler;
  beforeEach(() => {
    [recorded, ended] = [false, 0];
    answer = async () => ({ sealed: false });
    const core = { ask: () => answer() };
    seal = new CoreSeal(core, { sealed: () => recorded }, scheduler, () => (ended += 1));
  });

  it('is what Core says, though no event does, and told once', async () => {
    await seal.start();
    expect(seal.sealed()).toBe(false);
    answer = async () => ({ sealed: true });
    await seal.start();
    await seal.start();
    expect([seal.sealed(), ended]).toEqual([true, 1]);
  });

  it('is what was recorded while Core does not answer', async () => {
    answer = async () => Promise.reject(new Error('away'));
    await seal.start();
    expect(seal.sealed()).toBe(false);
    recorded = true;
    expect(seal.sealed()).toBe(true);
  });

  it('ends with the event of the unseal, whatever was asked before it', async () => {
    answer = async () => ({ sealed: true });
    await seal.start();
    seal.changed();
    expect(seal.sealed()).toBe(false);
    let say: (body: unknown) => void = () => undefined;
    answer = () => new Promise((resolve) => (say = resolve));
    const looking = seal.start();
    seal.changed();
    say({ sealed: true });
    await looking;
    expect(seal.sealed()).toBe(false);
  });
});
