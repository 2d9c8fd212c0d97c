import { jest } from '@jest/globals';
import { type Json, systemRandom } from '@kcm/kernel';
import { Acknowledger } from './acknowledger.js';
import type { Delivery, Notice } from './core-port.js';

describe('A word on a revocation', () => {
  const said: Json[] = [];
  const lost: string[] = [];
  let answer: Delivery;
  let acknowledger: Acknowledger;

  const notice = (epoch: number): Notice => ({
    tenant: 'acme',
    uid: 'acme/l2-1/1',
    l3: null,
    change: 'revoked',
    term: 1,
    epoch,
  });
  const tell = (epoch: number) => acknowledger.acknowledge(notice(epoch), []);

  beforeEach(() => {
    jest.useFakeTimers();
    said.length = 0;
    lost.length = 0;
    answer = 'unheard';
    acknowledger = new Acknowledger({
      // A double: Core as a test says.
      core: {
        state: async (_kind, statement) => {
          said.push(statement);
          return answer;
        },
      },
      witness: { confirm: async () => true },
      boot: 'b1',
      random: systemRandom,
      wallMs: () => Date.now(),
      onLost: (tenant) => lost.push(tenant),
    });
  });
  afterEach(() => {
    acknowledger.stop();
    jest.useRealTimers();
  });

  it('is said until Core has recorded it, as it was said first', async () => {
    const recorded = tell(7);
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(said.length).toBeGreaterThan(200);
    expect(acknowledger.waiting).toBe(1);
    answer = 'recorded';
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await recorded).toBe(true);
    expect(new Set(said.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(acknowledger.waiting).toBe(0);
  });

  it('is one however often it is asked for, and another one for another lock', async () => {
    const first = tell(7);
    expect(await tell(7)).toBe(false);
    const second = tell(9);
    await jest.advanceTimersByTimeAsync(0);
    answer = 'recorded';
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await Promise.all([first, second])).toEqual([true, true]);
  });

  it('on a read-only says that the keys were kept, and is none on a lock told of with it', async () => {
    answer = 'recorded';
    const kept = acknowledger.acknowledge({ ...notice(7), change: 'readOnly' }, []);
    const dropped = tell(7);
    await jest.advanceTimersByTimeAsync(0);
    expect(await Promise.all([kept, dropped])).toEqual([true, true]);
    const erased = said.map((word) => (word as { erasedAt: string }).erasedAt).toSorted();
    expect(erased).toEqual([expect.stringMatching(/Z$/), 'kept']);
  });

  it('ends with a refusal and with the Edge', async () => {
    answer = 'refused';
    const refused = tell(7);
    await jest.advanceTimersByTimeAsync(0);
    expect(await refused).toBe(false);
    answer = 'unheard';
    const waiting = tell(7);
    await jest.advanceTimersByTimeAsync(60_000);
    acknowledger.stop();
    expect(await waiting).toBe(false);
    expect(await tell(8)).toBe(false);
  });

  it('waits until the notices that have arrived with its own are refused on', async () => {
    answer = 'recorded';
    const first = tell(1);
    // Far more than a word takes by itself.
    for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
    const second = tell(2);
    expect(said).toEqual([]);
    await jest.advanceTimersByTimeAsync(0);
    expect(await Promise.all([first, second])).toEqual([true, true]);
  });

  it('that is displaced by too many others is told of', async () => {
    const oldest = tell(0);
    for (let epoch = 1; epoch <= 10_000; epoch += 1) void tell(epoch);
    expect(lost).toEqual(['acme']);
    await jest.advanceTimersByTimeAsync(0);
    expect(await oldest).toBe(false);
    expect(acknowledger.waiting).toBe(10_000);
  });
});
