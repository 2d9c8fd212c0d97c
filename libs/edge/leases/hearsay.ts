import { compareStanding, type Standing } from './fence.js';

const DROP_MS_MIN = 1_000;

export interface HearsayParts {
  /** Monotonic ms. */
  readonly now: () => number;
  /** As Core itself has said. */
  readonly highest: (tenant: string) => Standing | null;
  readonly holds: (tenant: string) => boolean;
  /** A lease of it is being asked for. */
  readonly asks: (tenant: string) => boolean;
  readonly drop: (tenant: string) => void;
}

/**
 * What was told of a tenant by whoever may write a message: worth to drop what is held and to ask
 * Core anew, and nothing more. Of one tenant it is dropped at most once in `DROP_MS_MIN`, and no ask
 * that is under way is disturbed: a flood of lies costs an ask each time, and keeps nobody out for
 * longer than Core takes to answer.
 */
export class Hearsay {
  /** The highest of what is still to be acted upon; only of tenants that are held or asked for. */
  readonly #pending = new Map<string, Standing>();
  readonly #droppedAt = new Map<string, number>();

  constructor(private readonly parts: HearsayParts) {}

  hear(tenant: string, told: Standing): void {
    if (!this.#isNews(tenant, told)) return;
    const before = this.#pending.get(tenant);
    if (before === undefined && !this.parts.holds(tenant) && !this.parts.asks(tenant)) return;
    if (before === undefined || compareStanding(told, before) > 0) this.#pending.set(tenant, told);
    this.#act(tenant);
  }

  /** To be called every 100 ms. */
  tick(): void {
    for (const [tenant, told] of this.#pending)
      if (this.#isNews(tenant, told)) this.#act(tenant);
      else this.#pending.delete(tenant);
    for (const tenant of this.#droppedAt.keys())
      if (!this.#isEarly(tenant)) this.#droppedAt.delete(tenant);
  }

  #act(tenant: string): void {
    if (this.#isEarly(tenant)) return;
    // What is answered to an ask under way may be older than what was heard: its turn comes.
    if (!this.parts.asks(tenant)) this.#pending.delete(tenant);
    this.#droppedAt.set(tenant, this.parts.now());
    this.parts.drop(tenant);
  }

  #isEarly(tenant: string): boolean {
    const at = this.#droppedAt.get(tenant);
    return at !== undefined && this.parts.now() - at < DROP_MS_MIN;
  }

  #isNews(tenant: string, told: Standing): boolean {
    const highest = this.parts.highest(tenant);
    return highest === null || compareStanding(told, highest) > 0;
  }
}
