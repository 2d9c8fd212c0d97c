import type { KeyObject } from '@kcm/crypto';
import type { CachePolicy } from '../core/core-port.js';

/** An L4: the subkey of one L3 version under one salt, for one purpose. */
export class Subkey {
  #uses = 0;
  #usedAt: number;

  /** `madeAt`: monotonic milliseconds. */
  constructor(
    readonly key: KeyObject,
    readonly header: Buffer,
    readonly madeAt: number,
  ) {
    this.#usedAt = madeAt;
  }

  /** Counts one use at `now`. */
  use(now: number): KeyObject {
    this.#uses += 1;
    this.#usedAt = now;
    return this.key;
  }

  /** True when the tenant's policy, or the cipher's own limit of invocations, ends it. */
  spent(policy: CachePolicy, now: number, invocationsMax: number): boolean {
    return (
      policy.off ||
      this.#uses >= Math.min(policy.maxUses, invocationsMax) ||
      now - this.madeAt >= policy.maxAgeSeconds * 1000 ||
      now - this.#usedAt >= policy.ttlSeconds * 1000
    );
  }
}
