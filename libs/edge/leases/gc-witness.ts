import type { KeyObject } from '@kcm/crypto';

/** Key handles of one lease that the collector has not yet been seen to take. */
export interface Witnessed {
  alive: number;
}
const ROUNDS_MAX = 20;
const ROUND_MS = 10;

/**
 * The bytes of a KeyObject stay in memory until it is garbage-collected, so "erased" may only be
 * said after the collector was seen to take every handle. Needs `--expose-gc`; without it the word
 * is "dropped-unconfirmed".
 */
export class GcWitness {
  readonly #registry = new FinalizationRegistry<Witnessed>((group) => {
    group.alive -= 1;
  });

  constructor(private readonly collect: (() => void) | null = exposedGc()) {}

  get canConfirm(): boolean {
    return this.collect !== null;
  }

  watch(key: KeyObject, group: Witnessed): void {
    group.alive += 1;
    this.#registry.register(key, group);
  }

  /** Collects until every handle of the groups is gone. False: it cannot be claimed. */
  async confirm(groups: readonly Witnessed[]): Promise<boolean> {
    if (this.collect === null) return false;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      // A turn of the loop first: what runs now may still hold a handle on its stack.
      await new Promise((resolve) => setTimeout(resolve, round === 0 ? 0 : ROUND_MS));
      this.collect();
      await new Promise((resolve) => setImmediate(resolve));
      if (groups.every((group) => group.alive === 0)) return true;
    }
    return false;
  }
}

const exposedGc = (): (() => void) | null => {
  const gc = (globalThis as { gc?: () => void }).gc;
  return typeof gc === 'function' ? () => gc() : null;
};
