export interface Standing {
  readonly term: number;
  readonly epoch: number;
}

/** Order of (term, epoch): negative when `a` is older. */
export const compareStanding = (a: Standing, b: Standing): number =>
  a.term - b.term || a.epoch - b.epoch;

/** Highest (term, epoch) seen of each tenant; raised only by Core's answers to our own requests. */
export class Fence {
  readonly #highest = new Map<string, Standing>();
  readonly #stale = new Set<string>();

  /** Tenants of whom Core's last answer was refused as stale. */
  get stale(): number {
    return this.#stale.size;
  }

  highest(tenant: string): Standing | null {
    return this.#highest.get(tenant) ?? null;
  }

  /** `stale`: refuse the answer. `raised`: everything held under a lower pair must go. */
  admit(tenant: string, seen: Standing): 'stale' | 'same' | 'raised' {
    const highest = this.#highest.get(tenant);
    const order = highest === undefined ? 1 : compareStanding(seen, highest);
    if (order < 0) {
      this.#stale.add(tenant);
      return 'stale';
    }
    this.#stale.delete(tenant);
    if (order === 0) return 'same';
    this.#highest.set(tenant, { term: seen.term, epoch: seen.epoch });
    return 'raised';
  }

  /** Core denies this tenant: nothing is stale about that. */
  denied(tenant: string): void {
    this.#stale.delete(tenant);
  }
}
