import { SimClock } from '@kcm/testing/edge';
import { Deadline, LeaseClock } from './lease-clock.js';

describe('A lease clock', () => {
  let clock: SimClock;
  let leases: LeaseClock;
  beforeEach(() => {
    clock = new SimClock();
    leases = new LeaseClock(clock);
  });
  const lease = (ttlMs = 10_000): Deadline => new Deadline(leases, leases.reading(), ttlMs);
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 100) {
      clock.advance(Math.min(100, left));
      leases.tick();
    }
  };

  it('tells when it was last disturbed: by a jump of the wall clock, a sleep, a silence', () => {
    leases.start();
    pass(5_000);
    expect(leases.disturbedAt).toBeNull();
    const disturb = [
      () => clock.setWall(3_600_000),
      () => clock.setWall(-3_600_000),
      () => clock.suspend(5_000),
      () => clock.advance(1_500),
    ];
    for (const act of disturb) {
      pass(1_000);
      const before = leases.disturbedAt;
      act();
      leases.tick();
      expect(leases.disturbedAt).not.toBe(before);
    }
    clock.advance(60_000);
    leases.start();
    expect(leases.disturbedAt).toBeNull();
  });

  it('counts from the reading taken before the request was sent', () => {
    const since = leases.reading();
    pass(4_000);
    const deadline = new Deadline(leases, since, 10_000);
    expect(deadline.remainingMs()).toBe(6_000);
    pass(6_000);
    expect(deadline.live).toBe(false);
  });

  it('ends a lease as soon as the wall clock says so, and never revives it', () => {
    const deadline = lease();
    clock.setWall(3_600_000);
    expect(deadline.live).toBe(false);
    clock.setWall(-3_600_000);
    expect(deadline.live).toBe(false);
  });

  it('does not lengthen a lease when the wall clock is set back', () => {
    const deadline = lease();
    clock.setWall(-3_600_000);
    expect(deadline.remainingMs()).toBe(10_000);
    pass(9_900);
    expect(deadline.live).toBe(true);
    pass(100);
    expect(deadline.live).toBe(false);
  });

  it('sees a sleep of the machine by the boot-time clock even if the wall clock hides it', () => {
    const deadline = lease(300_000);
    clock.suspend(600_000);
    clock.setWall(-600_000);
    leases.tick();
    expect(deadline.live).toBe(false);
  });

  it('adds up sleeps too short to be a gap, though the wall clock hides each', () => {
    const deadline = lease(10_000);
    for (let sleep = 0; sleep < 12; sleep += 1) {
      clock.suspend(900);
      clock.setWall(-900);
      leases.tick();
    }
    expect(leases.gaps).toBe(0);
    expect(deadline.live).toBe(false);
  });

  it('blocks use after a gap of the ticker until a newer request was answered', () => {
    const deadline = lease(300_000);
    clock.advance(1_001);
    // The call comes before the late ticker does.
    expect(deadline.live).toBe(false);
    leases.tick();
    expect(deadline.live).toBe(false);
    expect(lease().live).toBe(true);
  });

  it('takes a ticker that is only late for no gap', () => {
    const deadline = lease(300_000);
    clock.advance(900);
    leases.tick();
    expect(deadline.live).toBe(true);
  });
});
