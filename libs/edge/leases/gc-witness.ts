import type { KeyObject } from '@kcm/crypto';
import { exposedGc } from '@kcm/kernel';

/** Key handles of one lease that the collector has not yet been seen to take. */
export interface Witnessed {
  alive: number;
}
const ROUNDS_MAX = 20;
const ROUND_MS = 10;
/** From what was dropped to the collection for it. */
const SOON_MS = 1_000;
/** Between two of those, which stop the Edge: at least, and so many times what the last one took. */
const REST_MS_MIN = 5_000;
const REST_SHARE = 200;

/**
 * The bytes of a KeyObject stay in memory until it is garbage-collected, so "erased" may only be
 * said after the collector was seen to take every handle. Needs `--expose-gc`; without it the word
 * is "dropped-unconfirmed".
 */
export class GcWitness {
  readonly #registry = new FinalizationRegistry<Witnessed>((group) => {
    group.alive -= 1;
  });
  /** Dropped without anybody who waits for a word. */
  readonly #dropped = new Set<Witnessed>();
  #timer: NodeJS.Timeout | null = null;
  #restUntil = Number.NEGATIVE_INFINITY;

  constructor(private readonly collect: (() => void) | null = exposedGc()) {}

  get canConfirm(): boolean {
    return this.collect !== null;
  }

  watch(key: KeyObject, group: Witnessed): void {
    group.alive += 1;
    this.#registry.register(key, group);
  }

  /**
   * Its handles have been let go of, and nobody waits for a word on them. Those that the collector
   * has not taken by itself by then are collected, with all others that were dropped meanwhile.
   */
  dropped(group: Witnessed): void {
    if (this.collect === null || group.alive === 0) return;
    this.#dropped.add(group);
    if (this.#timer === null) this.#timer = this.#soon();
  }

  #soon(): NodeJS.Timeout {
    const ms = Math.max(SOON_MS, this.#restUntil - performance.now());
    return setTimeout(() => this.#collectDropped(), ms).unref();
  }

  #collectDropped(): void {
    for (const group of this.#dropped) if (group.alive === 0) this.#dropped.delete(group);
    this.#timer = null;
    if (this.#dropped.size === 0) return;
    const from = performance.now();
    this.collect?.();
    const now = performance.now();
    this.#restUntil = now + Math.max(REST_MS_MIN, REST_SHARE * (now - from));
    // Until it was seen to have taken them all.
    this.#timer = this.#soon();
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
