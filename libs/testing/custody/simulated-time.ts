import type { Clock } from '@kcm/kernel';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}
/** Lets every promise that can settle without time do so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
}

/** Three clocks that a test moves, and the timers that hang from them. */
export class SimulatedTime implements Clock {
  #now = 0;
  #wallOffset = Date.parse('2030-01-01T00:00:00Z');
  #bootOffset = 5_000_000;
  #timers: Timer[] = [];

  wallMs = (): number => this.#wallOffset + this.#now;
  monotonicMs = (): number => this.#now;
  bootMs = (): number => this.#bootOffset + this.#now;

  after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  /** How long until the next timer; null: there is none. */
  untilNext(): number | null {
    if (this.#timers.length === 0) return null;
    return Math.max(0, Math.min(...this.#timers.map(({ at }) => at)) - this.#now);
  }

  /** The wall clock alone, by an admin or NTP. */
  jumpWall(ms: number): void {
    this.#wallOffset += ms;
  }

  /** The machine sleeps: monotonic stands still, wall and boot time do not. */
  suspend(ms: number): void {
    this.#wallOffset += ms;
    this.#bootOffset += ms;
  }

  /** All clocks go on and no timer runs: the process was stopped or starved. */
  starve(ms: number): void {
    this.#now += ms;
  }

  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= until);
      if (due.length === 0) break;
      const next = due.reduce((a, b) => (b.at < a.at ? b : a));
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    this.#now = until;
    await settled();
  }
}
