/**
 * Finds an IV that was used twice under one key, in 8 bytes an IV: the first ones, of which two that
 * are equal by chance alone come once in 10^5 runs of 10^7 random IVs. What it says has come twice
 * is then to be looked at.
 */
export class SeenIvs {
  readonly #byKey = new Map<string, BigUint64Array[]>();
  count = 0;

  /** Entries of `key ‖ iv(12)` one behind the other. */
  add(entries: Buffer, keyBytes: number): void {
    const entryBytes = keyBytes + 12;
    const found = new Map<string, bigint[]>();
    for (let at = 0; at < entries.length; at += entryBytes) {
      const key = entries.toString('latin1', at, at + keyBytes);
      const ivs = found.get(key) ?? [];
      if (ivs.length === 0) found.set(key, ivs);
      ivs.push(entries.readBigUInt64BE(at + keyBytes));
      this.count += 1;
    }
    for (const [key, ivs] of found)
      this.#byKey.set(key, [...(this.#byKey.get(key) ?? []), BigUint64Array.from(ivs)]);
  }

  get keys(): number {
    return this.#byKey.size;
  }

  repeated(): number {
    let repeated = 0;
    for (const parts of this.#byKey.values()) {
      const all = new BigUint64Array(parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of parts) {
        all.set(part, at);
        at += part.length;
      }
      all.sort();
      for (let n = 1; n < all.length; n += 1) if (all[n] === all[n - 1]) repeated += 1;
    }
    return repeated;
  }
}
