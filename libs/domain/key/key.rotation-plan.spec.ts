import { LIMITS } from '@kcm/kernel';
import { rotationAgainAt, rotationByAgeAt, rotationByUsesAt } from './key.rotation-plan.js';

const SINCE = '2030-01-01T00:00:00.000Z';
const DAY = 86_400;
const never = { maxAgeSeconds: null, maxUses: null, retireAfterSeconds: null };
const version = (at: number) => ({ tenant: `tenant-${at}`, key: `l3-${at}`, version: 1 });
/** Seconds after it took over at which each of so many keys is rotated. */
const planned = (maxAgeSeconds: number, count = 10_000): number[] =>
  Array.from({ length: count }, (_, at) => {
    const due = rotationByAgeAt({ ...version(at), since: SINCE }, { ...never, maxAgeSeconds });
    return (Date.parse(due!) - Date.parse(SINCE)) / 1000;
  });
const worstMinute = (seconds: readonly number[]): number => {
  const counts = new Map<number, number>();
  for (const each of seconds.map((second) => Math.floor(second / 60)))
    counts.set(each, (counts.get(each) ?? 0) + 1);
  return Math.max(...counts.values());
};

describe('The plan of rotations', () => {
  it.each([
    [LIMITS.rotationAgeSecondsMin, 24, 54],
    [3_600, 1_740, 3_540],
    [DAY, 82_740 - 5_040, 86_340],
    [90 * DAY, 83 * DAY - 60, 90 * DAY - 60],
    [LIMITS.rotationAgeSecondsMax, 3_643 * DAY - 60, 3_650 * DAY - 60],
  ])('an age of %d s: between %d and %d s', (age, first, last) => {
    const seconds = planned(age);
    expect(Math.min(...seconds)).toBeGreaterThanOrEqual(first);
    expect(Math.max(...seconds)).toBeLessThanOrEqual(last);
    // The whole of the spread is used.
    expect(Math.max(...seconds) - Math.min(...seconds)).toBeGreaterThan(0.99 * (last - first));
  });

  it.each([
    [90 * DAY, 6],
    [DAY, 100],
    [3_600, 400],
  ])(
    '10,000 keys that took over at once, and an age of %d s: %d in the worst minute',
    (age, worst) => expect(worstMinute(planned(age))).toBeLessThanOrEqual(worst),
  );

  it('the same version is planned alike each time, and another one otherwise', () => {
    const at = (of: Partial<ReturnType<typeof version>>) =>
      rotationByAgeAt(
        { ...version(1), ...of, since: SINCE },
        { ...never, maxAgeSeconds: 90 * DAY },
      );
    const all = [at({}), at({ tenant: 'other' }), at({ key: 'l3-9' }), at({ version: 2 })];
    expect(at({})).toBe(all[0]);
    expect(new Set(all).size).toBe(4);
  });

  it('uses: between 85 and 95 in a hundred of the policy’s number', () => {
    const uses = Array.from({ length: 1_000 }, (_, at) =>
      rotationByUsesAt(version(at), { ...never, maxUses: 100_000 }),
    ) as number[];
    expect(Math.min(...uses)).toBeGreaterThanOrEqual(85_000);
    expect(Math.max(...uses)).toBeLessThanOrEqual(95_000);
    expect(rotationByUsesAt(version(1), never)).toBeNull();
    expect(rotationByAgeAt({ ...version(1), since: SINCE }, never)).toBeNull();
  });

  it('1,000 rotations that a keystore refused at once come again apart, ever less often', () => {
    const wait = (at: number, failures: number) =>
      (Date.parse(rotationAgainAt(version(at), SINCE, failures)) - Date.parse(SINCE)) / 1000;
    const first = Array.from({ length: 1_000 }, (_, at) => wait(at, 1));
    expect(Math.min(...first)).toBeGreaterThanOrEqual(30);
    expect(Math.max(...first)).toBeLessThanOrEqual(60);
    expect(wait(1, 2)).toBeGreaterThan(wait(1, 1));
    expect(wait(1, 1_000)).toBeLessThanOrEqual(LIMITS.rotationRetrySecondsMax);
  });
});
