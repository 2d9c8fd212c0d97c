import { KcmError } from '@kcm/kernel';
import { settled, SimulatedTime } from '@kcm/testing';
import { FeedLoop } from './feed-loop.js';

describe('A feed whose store cannot be reached', () => {
  it('is tried again with jitter under a ceiling that doubles from 0.2 s to 5 s', async () => {
    const time = new SimulatedTime();
    const longest = { bytes: (length: number) => Buffer.alloc(length, 0xff) };
    const tried: number[] = [];
    const loop = new FeedLoop(
      { ledger: { feed: () => never() }, scheduler: time, random: longest, report: () => {} },
      {
        resume: () => {
          tried.push(time.monotonicMs());
          return Promise.reject(new KcmError('ledger_unavailable', 'It is away.'));
        },
        events: never,
        passed: never,
        caughtUp: never,
      },
    );
    loop.start();
    await settled();
    await time.advance(60_000);
    const waits = tried.slice(1).map((at, index) => Math.round(at - tried[index]!));
    expect(waits.slice(0, 7)).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    expect(loop.state).toBe('waiting');
    await loop.stop();
  });
});

function never(): never {
  throw new Error('nothing is fed');
}
