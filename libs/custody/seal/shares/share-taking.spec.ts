import { type KcmError, LIMITS, systemRandom } from '@kcm/kernel';
import { MemoryBlobs, SimulatedTime } from '@kcm/testing';
import { SealService } from '../seal-service.js';

const IDLE_MS = LIMITS.sharesIdleMsMax;
const MAX = LIMITS.sharesRefusedMax;

describe('Shares as they come', () => {
  let time: SimulatedTime;
  let seal: SealService;
  let shares: readonly string[];
  let state: Parameters<SealService['unseal']>[0];

  beforeEach(async () => {
    time = new SimulatedTime();
    const vault = new MemoryBlobs();
    const parts = { region: 'eu', vault, random: systemRandom, clock: time, scheduler: time };
    seal = new SealService(parts);
    const none = { status: 'uninitialized' } as const;
    const made = await seal.init(none, { seal: 'shamir', shares: 5, threshold: 3 });
    shares = made.shares;
    state = { status: 'sealed', config: made.config };
  });
  const give = (share: string): Promise<string> =>
    seal.unseal(state, share).then(
      ({ opened }) => (opened ? 'opened' : 'taken'),
      ({ code, retryAfterSeconds }: KcmError) =>
        retryAfterSeconds === null ? code : `${code} ${retryAfterSeconds}`,
    );
  const refuse = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) expect(await give('kcms1-x')).toBe('share_refused');
  };
  const opensWith = async (...of: number[]): Promise<void> => {
    const answers = [];
    for (const at of of) answers.push(await give(shares[at]!));
    expect(answers).toEqual([...of.slice(1).map(() => 'taken'), 'opened']);
  };

  it('after so many that were refused none is taken, the right ones neither', async () => {
    expect(await give(shares[0]!)).toBe('taken');
    await refuse(MAX);
    expect(await give(shares[1]!)).toBe(`rate_limited ${IDLE_MS / 1000}`);
    expect(seal.progress(state)).toMatchObject({ sealed: true, provided: 1 });
  });

  it('one fewer than that, and the right ones open', async () => {
    await refuse(MAX - 1);
    await opensWith(4, 0, 2);
  });

  it('it says how long that lasts, and begins anew then, with no share', async () => {
    expect(await give(shares[0]!)).toBe('taken');
    await time.advance(IDLE_MS / 2);
    await refuse(MAX);
    await time.advance(60_000);
    expect(await give(shares[1]!)).toBe(`rate_limited ${IDLE_MS / 1000 - 60}`);
    await time.advance(IDLE_MS - 60_001);
    expect(await give(shares[1]!)).toBe('rate_limited 1');
    await time.advance(1);
    expect(seal.progress(state).provided).toBe(0);
    await refuse(MAX - 1);
    await opensWith(1, 2, 3);
  });

  it('letting go of the shares does not forget what was refused', async () => {
    await refuse(MAX - 1);
    await seal.reset(state);
    seal.seal();
    await refuse(1);
    expect(await give(shares[0]!)).toMatch('rate_limited');
  });

  it('are let go when nobody goes on, and each that is given begins that time anew', async () => {
    expect(await give(shares[0]!)).toBe('taken');
    await time.advance(IDLE_MS - 1);
    expect(await give(shares[1]!)).toBe('taken');
    await time.advance(IDLE_MS - 1);
    expect(seal.progress(state).provided).toBe(2);
    await refuse(1);
    await time.advance(1);
    expect(seal.progress(state).provided).toBe(0);
    await opensWith(0, 1, 2);
  });

  it('are let go by the clock where the timer was late: the machine slept', async () => {
    expect(await give(shares[0]!)).toBe('taken');
    expect(await give(shares[1]!)).toBe('taken');
    time.starve(IDLE_MS);
    expect(await give(shares[2]!)).toBe('taken');
    expect(seal.progress(state).provided).toBe(1);
  });
});
