import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';

/**
 * The three clocks a lease is held against. All in milliseconds; only differences of one clock mean
 * anything.
 */
export interface Clock {
  /** Wall clock, Unix epoch. May jump either way. */
  wallMs(): number;
  /** Monotonic; stands still while the process is stopped on some systems. */
  monotonicMs(): number;
  /** Since boot, counts while the machine is suspended. Costs a system call: not per operation. */
  bootMs(): number;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  bootMs: () => uptime() * 1000,
};

/** RFC 3339 UTC with milliseconds. */
export const rfc3339 = (wallMs: number): string => new Date(wallMs).toISOString();
