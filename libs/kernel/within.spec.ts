import type { Scheduler } from './scheduler.js';
import { within } from './within.js';

describe('Waiting for at most so long', () => {
  let waiting: (() => void)[];
  let asked: number[];
  const scheduler: Scheduler = {
    after(ms, run) {
      asked.push(ms);
      waiting.push(run);
      return () => (waiting = waiting.filter((each) => each !== run));
    },
  };
  beforeEach(() => {
    waiting = [];
    asked = [];
  });

  it('gives what came in time, or its error, and leaves no timer behind', async () => {
    expect(await within(scheduler, 20, Promise.resolve(7))).toBe(7);
    await expect(within(scheduler, 20, Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(asked).toEqual([20, 20]);
    expect(waiting).toEqual([]);
  });

  it('says that it is late, and an error after that is nobody’s', async () => {
    let fail!: (error: Error) => void;
    const work = new Promise<number>((_resolve, reject) => (fail = reject));
    const answer = within(scheduler, 20, work);
    for (const run of waiting) run();
    expect(await answer).toBe('late');
    fail(new Error('nobody hears it'));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
