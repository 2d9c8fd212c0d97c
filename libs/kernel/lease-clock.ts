import type { Clock } from './clock.js';
import { LIMITS } from './limits.js';

/** One look at the three clocks, taken when a request is SENT. Milliseconds. */
export interface Reading {
  readonly monotonic: number;
  readonly wall: number;
  readonly boot: number;
  /** Gaps of the ticker seen so far. */
  readonly gaps: number;
}

/**
 * Time for leases (architecture §2). Monotonic and wall clock are read at each check; the boot-time
 * clock, a system call, by `tick`, which the owner of this object schedules every
 * `LIMITS.leaseTickMs`.
 */
export class LeaseClock {
  #boot: number;
  #tickMonotonic: number;
  #tickBoot: number;
  #tickWall: number;
  #gaps = 0;
  #disturbedAt: number | null = null;

  constructor(private readonly clock: Clock) {
    this.#boot = clock.bootMs();
    this.#tickBoot = this.#boot;
    this.#tickMonotonic = clock.monotonicMs();
    this.#tickWall = clock.wallMs();
  }

  /** How many times the ticker was silent for too long; a rise ends every lease taken before. */
  get gaps(): number {
    return this.#gaps;
  }

  /** When the ticker was last found silent, or the wall clock to have jumped; monotonic ms. */
  get disturbedAt(): number | null {
    return this.#disturbedAt;
  }

  /** It ticks from here on: that it did not before is no silence. */
  start(): void {
    this.tick();
    this.#disturbedAt = null;
  }

  tick(): void {
    const monotonic = this.clock.monotonicMs();
    const wall = this.clock.wallMs();
    this.#boot = this.clock.bootMs();
    const slept = Math.max(monotonic - this.#tickMonotonic, this.#boot - this.#tickBoot);
    if (slept > LIMITS.leaseTickGapMsMax) this.#gaps += 1;
    const jumped = Math.abs(wall - this.#tickWall - (monotonic - this.#tickMonotonic));
    if (Math.max(slept, jumped) > LIMITS.leaseTickGapMsMax) this.#disturbedAt = monotonic;
    this.#tickWall = wall;
    this.#tickMonotonic = monotonic;
    this.#tickBoot = this.#boot;
  }

  /** To be taken before a request is sent: a lease counts from here. */
  reading(): Reading {
    this.#catchUp(this.clock.monotonicMs());
    return {
      monotonic: this.clock.monotonicMs(),
      wall: this.clock.wallMs(),
      boot: this.clock.bootMs(),
      gaps: this.#gaps,
    };
  }

  /** Remaining milliseconds by the strictest clock; 0 when any clock says that it is over. */
  remainingMs(since: Reading, ttlMs: number): number {
    const monotonic = this.clock.monotonicMs();
    this.#catchUp(monotonic);
    if (since.gaps !== this.#gaps) return 0;
    const elapsed = Math.max(
      monotonic - since.monotonic,
      this.clock.wallMs() - since.wall,
      this.#boot - since.boot,
    );
    return elapsed >= ttlMs ? 0 : Math.min(ttlMs, ttlMs - elapsed);
  }

  /** Since a reading, by the monotonic clock alone: for plans, never for proof. */
  ageMs(since: Reading): number {
    return this.clock.monotonicMs() - since.monotonic;
  }

  /** A call that runs before the late ticker does must not slip through the gap. */
  #catchUp(monotonic: number): void {
    if (monotonic - this.#tickMonotonic > LIMITS.leaseTickGapMsMax) this.tick();
  }
}

/** The end of one lease. Over once is over for ever: a wall clock set back cannot revive it. */
export class Deadline {
  #over = false;
  #ttlMs: number;

  constructor(
    private readonly clock: LeaseClock,
    readonly since: Reading,
    ttlMs: number,
  ) {
    this.#ttlMs = ttlMs;
  }

  get ttlMs(): number {
    return this.#ttlMs;
  }

  /** Milliseconds since the request was sent, monotonic. */
  ageMs(): number {
    return this.clock.ageMs(this.since);
  }

  remainingMs(): number {
    if (this.#over) return 0;
    const left = this.clock.remainingMs(this.since, this.#ttlMs);
    if (left === 0) this.#over = true;
    return left;
  }

  get live(): boolean {
    return this.remainingMs() > 0;
  }

  /** Brings the end forward; a longer time than the present one changes nothing. */
  shorten(ttlMs: number): void {
    this.#ttlMs = Math.min(this.#ttlMs, ttlMs);
  }

  end(): void {
    this.#over = true;
  }
}
