import { KcmError, LIMITS, systemRandom } from '@kcm/kernel';
import { SimulatedTime } from '@kcm/testing';
import { AutoUnseal } from './auto-unseal.js';

describe('Opening a region by a keystore', () => {
  let time: SimulatedTime;
  let auto: AutoUnseal;
  let sealed: boolean;
  let tries: number;
  let answer: () => Promise<void>;
  let reported: string[];
  beforeEach(() => {
    time = new SimulatedTime();
    [sealed, tries, reported] = [true, 0, []];
    answer = () => Promise.reject(new KcmError('root_key_unreachable', 'away'));
    auto = new AutoUnseal({
      scheduler: time,
      random: systemRandom,
      waits: () => sealed,
      unseal: () => {
        tries += 1;
        return answer();
      },
      report: ({ message }) => void reported.push(message),
    });
  });
  const opens = async (): Promise<void> => {
    sealed = false;
  };

  it('is tried again for as long as it takes, ever more seldom, and then no more', async () => {
    auto.start();
    await time.advance(0);
    await time.advance(60 * 60_000);
    expect(tries).toBeGreaterThan((60 * 60_000) / LIMITS.sealRetryMsMax);
    expect(tries).toBeLessThan(2_000);
    expect(auto.refusal).toMatchObject({ code: 'root_key_unreachable' });
    expect(reported).toEqual(['away']);
    answer = opens;
    await time.advance(LIMITS.sealRetryMsMax);
    expect(auto.refusal).toBeNull();
    const last = tries;
    await time.advance(60 * 60_000);
    expect(tries).toBe(last);
  });

  it('tells each word once, and one that it does not know as its own', async () => {
    auto.start();
    await time.advance(0);
    await time.advance(LIMITS.sealRetryMsMax);
    answer = () => Promise.reject(new KcmError('root_key_disabled', 'disabled'));
    await time.advance(2 * LIMITS.sealRetryMsMax);
    answer = () => Promise.reject(new TypeError('a bug'));
    await time.advance(2 * LIMITS.sealRetryMsMax);
    expect(reported).toEqual(['away', 'disabled', 'The region was not opened.']);
    expect(auto.refusal).toMatchObject({ code: 'internal' });
  });

  it('ends when somebody seals, also while the keystore is asked', async () => {
    auto.start();
    await time.advance(0);
    auto.stop();
    let refuse: (error: Error) => void = () => {};
    answer = () => new Promise((_, reject) => (refuse = reject));
    auto.start();
    auto.stop();
    refuse(new Error('late'));
    const before = tries;
    await time.advance(60 * 60_000);
    expect([tries, auto.refusal]).toEqual([before, null]);
  });

  it('asks nobody where there is nothing to open', async () => {
    sealed = false;
    auto.start();
    await time.advance(60_000);
    expect(tries).toBe(0);
  });
});
