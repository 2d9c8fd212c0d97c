import type { Checkpoint, ReadToken } from '@kcm/read-models';
import { ReadModelBehind, TokenOfAnotherLedger } from '@kcm/read-models';

/** Queries asleep until their read model has got there; woken by the commit. */
export class Waiters {
  #wakes = 0;
  readonly #asleep = new Map<string, Set<() => void>>();

  /**
   * `asOf` reads the active checkpoint of the name. @throws ReadModelBehind · TokenOfAnotherLedger
   */
  async wait(
    name: string,
    token: ReadToken,
    waitMs: number,
    asOf: () => Checkpoint | null | Promise<Checkpoint | null>,
  ): Promise<Checkpoint> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const wakes = this.#wakes;
      const now = await asOf();
      if (now !== null && now.ledger !== token.ledger) throw new TokenOfAnotherLedger();
      if (now !== null && now.position >= token.position) return now;
      const left = deadline - performance.now();
      if (left <= 0) throw new ReadModelBehind(name, now);
      // A commit while it was read woke nobody.
      if (wakes === this.#wakes) await this.#sleep(name, left);
    }
  }

  /** Those that wait for something now. */
  get names(): Iterable<string> {
    return this.#asleep.keys();
  }

  wake(name: string): void {
    this.#wakes += 1;
    const asleep = this.#asleep.get(name);
    this.#asleep.delete(name);
    for (const wakeUp of asleep ?? []) wakeUp();
  }

  /** Wakes all: their next look at a closed store throws. */
  close(): void {
    for (const name of this.#asleep.keys()) this.wake(name);
  }

  #sleep(name: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const asleep = this.#asleep.get(name) ?? new Set();
      this.#asleep.set(name, asleep);
      const wakeUp = (): void => {
        clearTimeout(timer);
        asleep.delete(wakeUp);
        if (asleep.size === 0 && this.#asleep.get(name) === asleep) this.#asleep.delete(name);
        resolve();
      };
      const timer = setTimeout(wakeUp, Math.ceil(ms));
      asleep.add(wakeUp);
    });
  }
}
