import { CORE_VIEW, type Fold, lagReasons, type Lags } from './folds.js';

describe('What is told of a fold that is late', () => {
  const lags = { of: async () => 9 } as unknown as Lags;
  const nextOf = async (name: string): Promise<string | undefined> => {
    const fold: Fold = { name, position: null, state: 'live' };
    const [reason, ...others] = await lagReasons(() => [fold], lags);
    expect(others).toEqual([]);
    expect(reason).toMatchObject({ level: 'degraded', code: 'behind' });
    return reason!.next;
  };

  it('sends who asks about a read model to the projector, which may be another process', async () => {
    expect(await nextOf('tenants')).toContain('where the projector runs apart, at its /readyz');
    expect(await nextOf(CORE_VIEW)).not.toContain('projector');
  });
});
