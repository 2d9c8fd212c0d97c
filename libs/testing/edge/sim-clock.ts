import type { Clock } from '@kcm/kernel';

/** The three clocks of a machine, moved by hand. `trueMs` is what really passed. */
export class SimClock implements Clock {
  trueMs = 0;
  #monotonic = 1_000;
  #wall = Date.parse('2030-01-01T00:00:00Z');
  #boot = 50_000;

  wallMs = (): number => this.#wall;
  monotonicMs = (): number => this.#monotonic;
  bootMs = (): number => this.#boot;

  advance(ms: number): void {
    this.trueMs += ms;
    this.#monotonic += ms;
    this.#wall += ms;
    this.#boot += ms;
  }

  /** The machine sleeps: the monotonic clock stands still. */
  suspend(ms: number): void {
    this.trueMs += ms;
    this.#wall += ms;
    this.#boot += ms;
  }

  /** Somebody sets the wall clock, either way. */
  setWall(byMs: number): void {
    this.#wall += byMs;
  }
}
