import type { Checkpoint, ReadToken } from '@kcm/read-models';
import { ReadModelBehind, TokenOfAnotherLedger } from '@kcm/read-models';

/** Queries asleep until their read model has got there; woken by the commit, not by a poll. */
export class Waiters {
  readonly #asleep = new Map<string, Set<() => void>>();

  /**
   * `asOf` reads the active checkpoint of the name. @throws ReadModelBehind · TokenOfAnotherLedger
   */
  async wait(
    name: string,
    token: ReadToken,
    waitMs: number,
    asOf: () => Checkpoint | null,
  ): Promise<Checkpoint> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const now = asOf();
      if (now !== null && now.ledger !== token.ledger) throw new TokenOfAnotherLedger();
      if (now !== null && now.position >= token.position) return now;
      const left = deadline - performance.now();
      if (left <= 0) throw new ReadModelBehind(name, now);
      await this.#sleep(name, left);
    }
  }

  wake(name: string): void {
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
        resolve();
      };
      const timer = setTimeout(wakeUp, Math.ceil(ms));
      asleep.add(wakeUp);
    });
  }
}
