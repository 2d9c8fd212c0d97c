import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeClient, Sample } from './edge-client.js';

const PAUSE_MS = 10;

/** One workload that decrypts the same record again and again, and keeps account of the answers. */
export class Traffic {
  opened = 0;
  refused = 0;
  /** performance.now() of the last answer that held plaintext. */
  lastOpenedAt = 0;
  /** Of the first refusal since the last opening. */
  refusedAt: number | null = null;
  code: string | null = null;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(
    private readonly edge: EdgeClient,
    private readonly sample: Sample,
  ) {
    this.#done = this.#run();
  }

  /** @throws Error when the Edge still answers after so long */
  async untilRefused(ms: number): Promise<{ readonly at: number; readonly code: string }> {
    const end = performance.now() + ms;
    while (this.refusedAt === null) {
      if (performance.now() > end)
        throw new Error(`${this.sample.tenant} is still served after ${ms} ms`);
      await sleep(PAUSE_MS);
    }
    return { at: this.refusedAt, code: this.code ?? '' };
  }

  /** @returns performance.now() of the first opening · @throws Error when it is refused for so long */
  async untilOpens(ms: number): Promise<number> {
    const start = performance.now();
    while (this.lastOpenedAt < start) {
      if (performance.now() > start + ms)
        throw new Error(`${this.sample.tenant} is refused after ${ms} ms: ${this.code}`);
      await sleep(PAUSE_MS);
    }
    return this.lastOpenedAt;
  }

  async stop(): Promise<this> {
    this.#stopped = true;
    await this.#done;
    return this;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const outcome = await this.edge
        .opens(this.sample)
        .catch((error: unknown) => (error instanceof Error ? error.message : 'failed'));
      const now = performance.now();
      if (outcome === true) {
        this.opened += 1;
        this.lastOpenedAt = now;
        this.refusedAt = null;
      } else {
        this.refused += 1;
        this.code = outcome;
        this.refusedAt ??= now;
      }
      await sleep(PAUSE_MS);
    }
  }
}
