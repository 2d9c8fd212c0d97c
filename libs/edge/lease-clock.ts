import type { Clock } from '@kcm/kernel';

/** One look at the three clocks, taken when the Edge SENDS a request. Milliseconds. */
export interface Reading {
  readonly monotonic: number;
  readonly wall: number;
  readonly boot: number;
  /** Gaps of the ticker seen so far. */
  readonly gaps: number;
}
export const TICK_MS = 100;
/** A ticker silent for longer means that the process did not run: nothing is known of that time. */
export const TICK_GAP_MS_MAX = 1_000;

/**
 * Time for leases (architecture §2). Monotonic and wall clock are read at each check; the boot-time
 * clock, a system call, by `tick` every 100 ms, which the owner of this object schedules.
 */
export class LeaseClock {
  #boot: number;
  #tickMonotonic: number;
  #tickBoot: number;
  #gaps = 0;

  constructor(private readonly clock: Clock) {
    this.#boot = clock.bootMs();
    this.#tickBoot = this.#boot;
    this.#tickMonotonic = clock.monotonicMs();
  }

  tick(): void {
    const monotonic = this.clock.monotonicMs();
    this.#boot = this.clock.bootMs();
    const slept = Math.max(monotonic - this.#tickMonotonic, this.#boot - this.#tickBoot);
    if (slept > TICK_GAP_MS_MAX) this.#gaps += 1;
    this.#tickMonotonic = monotonic;
    this.#tickBoot = this.#boot;
  }

  /** To be taken before a request is sent: a lease counts from here. */
  reading(): Reading {
    this.#catchUp(this.clock.monotonicMs());
    const boot = this.clock.bootMs();
    const monotonic = this.clock.monotonicMs();
    return { monotonic, wall: this.clock.wallMs(), boot, gaps: this.#gaps };
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

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  wallMs(): number {
    return this.clock.wallMs();
  }

  /** A call that runs before the late ticker does must not slip through the gap. */
  #catchUp(monotonic: number): void {
    if (monotonic - this.#tickMonotonic > TICK_GAP_MS_MAX) this.tick();
  }
}

/** The end of one lease. Over once is over for ever: a wall clock set back cannot revive it. */
export class Deadline {
  #over = false;

  constructor(
    private readonly clock: LeaseClock,
    readonly since: Reading,
    readonly ttlMs: number,
  ) {}

  get live(): boolean {
    return this.remainingMs() > 0;
  }

  remainingMs(): number {
    if (this.#over) return 0;
    const left = this.clock.remainingMs(this.since, this.ttlMs);
    if (left === 0) this.#over = true;
    return left;
  }

  /** Milliseconds since the request was sent, monotonic. */
  ageMs(): number {
    return this.clock.monotonicMs() - this.since.monotonic;
  }
}
