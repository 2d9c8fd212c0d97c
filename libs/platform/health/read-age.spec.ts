import type { Position } from '@kcm/kernel';
import { SimClock } from '@kcm/testing/edge';
import { CORE_VIEW, type Fold, type Lags } from './folds.js';
import { ReadAge } from './read-age.js';

describe('How old reads may be', () => {
  const clock = new SimClock();
  let view: Fold['state'];
  /** Null: the ledger is away. */
  let lag: number | null | 'hangs';
  let age: ReadAge;
  beforeEach(() => {
    [view, lag] = ['live', 0];
    const lags = {
      of: async () => {
        if (lag === 'hangs') return new Promise(() => undefined);
        if (lag === null) throw new Error('the ledger is away');
        return lag;
      },
    } as unknown as Lags;
    const position = '1' as Position;
    age = new ReadAge(clock, lags, () => [
      { name: CORE_VIEW, position, state: view },
      { name: 'audit', position, state: 'live' },
    ]);
  });
  const told = async (): Promise<number | null> => {
    clock.advance(1_000);
    const asOf = await age.asOf();
    return asOf === null ? null : (clock.wallMs() - Date.parse(asOf)) / 1_000;
  };

  it('is not told while they are as of now, or as good as', async () => {
    expect(await told()).toBeNull();
    lag = 1.5;
    expect(await told()).toBeNull();
  });

  it('is the age of the first event that the slowest read model lacks', async () => {
    lag = 61;
    expect(await told()).toBe(61);
    lag = 0;
    expect(await told()).toBeNull();
  });

  it('grows from when the ledger was last heard, while it is away', async () => {
    await told();
    view = 'waiting';
    await told();
    await told();
    expect(await told()).toBe(3);
    view = 'live';
    expect(await told()).toBeNull();
  });

  it('grows too when the ledger cannot be asked and its feed has not noticed', async () => {
    await told();
    lag = null;
    await told();
    await told();
    expect(await told()).toBe(3);
  });

  it('keeps an answer waiting for a moment only when the ledger hangs', async () => {
    await told();
    lag = 'hangs';
    await told();
    await told();
    expect(await told()).toBe(3);
  });
});
