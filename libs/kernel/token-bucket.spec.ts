import { TokenBucket } from './token-bucket.js';

describe('a token bucket', () => {
  it('gives its burst at once and then its rate', () => {
    const bucket = new TokenBucket(3, 2, 0);
    const taken = (nowMs: number) => [1, 2, 3, 4, 5].filter(() => bucket.take(nowMs)).length;
    expect(taken(0)).toBe(3);
    expect(taken(400)).toBe(0);
    expect(taken(1_000)).toBe(2);
    expect(taken(60_000)).toBe(3);
  });

  it('says how long each has to wait, and turns away who would wait too long', () => {
    const bucket = new TokenBucket(1, 10, 0);
    const waits = Array.from({ length: 5 }, () => bucket.reserveMs(0, 300));
    expect(waits).toEqual([0, 100, 200, 300, null]);
    expect(bucket.reserveMs(100, 300)).toBe(300);
  });

  it('says what is left and when it is full again', () => {
    const bucket = new TokenBucket(4, 2, 0);
    expect(bucket.look(0)).toEqual({ left: 4, fullInMs: 0 });
    for (let n = 0; n < 3; n += 1) bucket.take(0);
    expect(bucket.look(0)).toEqual({ left: 1, fullInMs: 1_500 });
    expect(bucket.look(250)).toEqual({ left: 1, fullInMs: 1_250 });
    expect(bucket.look(9_000)).toEqual({ left: 4, fullInMs: 0 });
  });

  it('a clock that stands still or goes back gives nothing', () => {
    const bucket = new TokenBucket(1, 10, 1_000);
    expect(bucket.take(1_000)).toBe(true);
    expect(bucket.take(0)).toBe(false);
  });
});
