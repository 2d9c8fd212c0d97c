import { LIMITS } from '@kcm/kernel';
import { settled, SimulatedTime } from '@kcm/testing';
import { Health } from './health.js';

const sealed = {
  dependency: 'seal',
  level: 'unavailable',
  code: 'sealed',
  detail: 'x',
  next: 'y',
} as const;

describe('Health', () => {
  let time: SimulatedTime;
  let told: string[];
  let health: Health;
  beforeEach(() => {
    time = new SimulatedTime();
    told = [];
    health = new Health((part, error) => told.push(`${part}: ${String(error)}`), time);
  });
  const codes = async () => {
    const { status, reasons } = await health.report();
    return [status, ...reasons.map(({ dependency, code }) => `${dependency} ${code}`)];
  };

  it('is ready when no part has anything to say', async () => {
    health.add('seal', () => []);
    expect(await codes()).toEqual(['ready']);
  });

  it('of a part that cannot say how it is, is a reason that keeps none of the others back', async () => {
    health.add('keystores', () => {
      throw new Error('of tenant acme');
    });
    health.add('seal', () => [sealed]);
    expect(await codes()).toEqual(['unavailable', 'seal sealed', 'keystores check_failed']);
    expect(JSON.stringify(await health.report())).not.toContain('acme');
  });

  it('tells what a check threw once, and again after it went well', async () => {
    let broken = true;
    health.add('stores', () => {
      if (broken) throw new Error('torn');
      return [];
    });
    for (let asked = 0; asked < 3; asked += 1) await health.report();
    expect(told).toEqual(['stores: Error: torn']);
    broken = false;
    await health.report();
    broken = true;
    await health.report();
    expect(told.length).toBe(2);
  });

  it('answers in time although a part hangs, and asks that part once', async () => {
    let asked = 0;
    let free = (): void => {};
    health.add('ledger', () => {
      asked += 1;
      return new Promise((resolve) => (free = () => resolve([])));
    });
    health.add('seal', () => [sealed]);
    for (let round = 0; round < 3; round += 1) {
      let answer: unknown = null;
      void codes().then((of) => (answer = of));
      await time.advance(LIMITS.healthCheckMsMax);
      expect(answer).toEqual(['unavailable', 'seal sealed', 'ledger no_answer']);
    }
    expect(asked).toBe(1);
    free();
    await settled();
    void health.report();
    expect(asked).toBe(2);
  });
});
