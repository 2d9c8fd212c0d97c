import { LIMITS, type OneOrMore } from '@kcm/kernel';
import type { Delivery, Handler, Verdict } from './messaging.js';

/** How far a batch came, and how long its partition waits then: null goes on at once. */
export interface Settled {
  readonly passed: number;
  readonly waitMs: number | null;
}

/** How long waits what a handler threw at, or whose park was not confirmed. */
export const againMs = (attempt: number): number =>
  Math.min(LIMITS.retryMsMin * 2 ** Math.min(attempt - 1, 20), LIMITS.retryMsMax);

/**
 * Hands a batch over and does what the verdicts say, in order, up to the first `retry`. Never
 * throws: what fails is told and its delivery waits.
 */
export async function settle(
  batch: OneOrMore<Delivery>,
  handle: Handler,
  park: (delivery: Delivery, code: string) => Promise<void>,
  told: (error: unknown) => void,
): Promise<Settled> {
  let passed = 0;
  try {
    const verdicts = await handle(batch);
    if (verdicts.length !== batch.length)
      throw new RangeError(`a handler gave ${verdicts.length} verdicts for ${batch.length}`);
    for (const [index, delivery] of batch.entries()) {
      const verdict: Verdict = verdicts[index]!;
      if (verdict.kind === 'retry') return { passed, waitMs: Math.max(0, verdict.afterMs) };
      if (verdict.kind === 'park') await park(delivery, verdict.code);
      passed += 1;
    }
    return { passed, waitMs: null };
  } catch (error) {
    told(error);
    return { passed, waitMs: againMs(batch[passed]?.attempt ?? 1) };
  }
}

/** Counts how often the delivery that holds up a partition was given. */
export class Attempts {
  readonly #held = new Map<number, { readonly offset: string; attempt: number }>();

  of(partition: number, offset: string): number {
    const held = this.#held.get(partition);
    return held?.offset === offset ? held.attempt + 1 : 1;
  }
  /** `held` is the first that did not pass; null: all passed. */
  settled(partition: number, held: Delivery | null): void {
    if (held === null) this.#held.delete(partition);
    else this.#held.set(partition, { offset: held.offset, attempt: held.attempt });
  }
}
