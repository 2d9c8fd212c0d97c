import type { DocKey } from '@kcm/read-models';

type Changed = (keys: readonly DocKey[] | null) => void;

/** Who is told of changes, by the read model's name. */
export class Watchers {
  readonly #watching = new Map<string, Set<Changed>>();

  add(name: string, changed: Changed): () => void {
    // One of its own each time: whoever watches twice is told twice, and ends each alone.
    const mine: Changed = (keys) => changed(keys);
    const all = this.#watching.get(name) ?? new Set();
    this.#watching.set(name, all.add(mine));
    return () => {
      all.delete(mine);
      if (all.size === 0 && this.#watching.get(name) === all) this.#watching.delete(name);
    };
  }

  /** Those that somebody watches now. */
  get names(): Iterable<string> {
    return this.#watching.keys();
  }

  tell(name: string, keys: readonly DocKey[] | null): void {
    for (const changed of this.#watching.get(name) ?? []) changed(keys);
  }
}
