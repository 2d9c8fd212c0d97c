import type { Random } from '@kcm/kernel';

const POOL_BYTES = 12 * 1024;

/**
 * Random bytes cut from a pool filled in one call: `randomBytes(12)` a record costs half as much as
 * the encryption itself. No two views overlap.
 */
export class PooledRandom implements Random {
  #pool: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(private readonly source: Random) {}

  bytes(length: number): Buffer {
    if (length > POOL_BYTES) return this.source.bytes(length);
    if (this.#at + length > this.#pool.length) {
      // A new buffer each time: earlier views stay what they were.
      this.#pool = this.source.bytes(POOL_BYTES);
      this.#at = 0;
    }
    const view = this.#pool.subarray(this.#at, this.#at + length);
    this.#at += length;
    return view;
  }
}
