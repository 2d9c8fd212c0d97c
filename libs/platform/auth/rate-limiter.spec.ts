import { LIMITS } from '@kcm/kernel';
import type { FastifyReply } from 'fastify';
import { RateLimiter, type Rates } from './rate-limiter.js';

describe('The rate limit', () => {
  let now: number;
  let headers: Record<string, string>;
  const reply = {
    header: (name: string, value: string) => (headers[name] = value),
  } as unknown as FastifyReply;
  const clock = { monotonicMs: () => now, wallMs: () => now, bootMs: () => now };
  const limiter = (rates: Partial<Rates> = {}) =>
    new RateLimiter({ principal: 2, anonymous: 1, ...rates }, clock);
  beforeEach(() => {
    now = 0;
    headers = {};
  });
  /** How many of 100 at once are let through. */
  const passed = (take: () => void): number =>
    Array.from({ length: 100 }).filter(() => {
      try {
        take();
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 1 });
        return false;
      }
    }).length;

  it('lets a burst through and then its rate, each principal its own', () => {
    const limit = limiter();
    expect(passed(() => limit.principal('acme', 'anna', reply))).toBe(10);
    now = 1_500;
    expect(passed(() => limit.principal('acme', 'anna', reply))).toBe(3);
    expect(passed(() => limit.principal('globex', 'anna', reply))).toBe(10);
    expect(passed(() => limit.principal(null, 'anna', reply))).toBe(10);
    now = 60_000;
    expect(passed(() => limit.principal('acme', 'anna', reply))).toBe(10);
  });

  it('tells each answer what is left', () => {
    const limit = limiter();
    for (let n = 0; n < 3; n += 1) limit.principal('acme', 'anna', reply);
    expect(headers).toEqual({
      'RateLimit-Limit': '10',
      'RateLimit-Remaining': '7',
      'RateLimit-Reset': '2',
    });
  });

  it.each([
    ['an IPv4 address', '192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['… however it is written', '::ffff:192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['an IPv6 network', '2001:db8:1:2::1', '2001:db8:1:2:ffff::2', '2001:db8:1:3::1'],
  ])('takes those who are nobody by %s', (_what, first, same, other) => {
    const limit = limiter();
    expect(passed(() => limit.anonymous(first, reply))).toBe(5);
    expect(passed(() => limit.anonymous(same, reply))).toBe(0);
    expect(passed(() => limit.anonymous(other, reply))).toBe(5);
  });

  it('takes those who are new by their tenant', () => {
    const limit = limiter();
    expect(passed(() => limit.newcomer('acme', reply))).toBe(5 * LIMITS.newcomersPerSecondMax);
    expect(passed(() => limit.newcomer('globex', reply))).toBe(5 * LIMITS.newcomersPerSecondMax);
  });

  it('is none where the rate is 0', () => {
    expect(passed(() => limiter({ principal: 0 }).principal(null, 'anna', reply))).toBe(100);
    expect(headers).toEqual({});
  });

  it('remembers so many and no more', () => {
    const limit = limiter();
    expect(passed(() => limit.principal(null, 'first', reply))).toBe(10);
    for (let n = 1; n < LIMITS.rateBucketsMax; n += 1) limit.principal(null, `p${n}`, reply);
    expect(passed(() => limit.principal(null, 'first', reply))).toBe(0);
    for (let n = 1; n <= LIMITS.rateBucketsMax; n += 1) limit.principal(null, `q${n}`, reply);
    expect(passed(() => limit.principal(null, 'first', reply))).toBe(10);
  });
});
