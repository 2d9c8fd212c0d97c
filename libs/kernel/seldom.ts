import type { Clock } from './clock.js';

/** What may happen very often is told once in a while; `what` is one of few. */
export class Seldom {
  readonly #told = new Map<string, { at: number; untold: number }>();

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly everyMs: number,
  ) {}

  /** How many were not told since the last one that was; null: this one is not told either. */
  tell(what: string): number | null {
    const now = this.clock.monotonicMs();
    const last = this.#told.get(what);
    if (last !== undefined && now - last.at < this.everyMs) {
      last.untold += 1;
      return null;
    }
    this.#told.set(what, { at: now, untold: 0 });
    return last?.untold ?? 0;
  }
}
