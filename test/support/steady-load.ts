import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeClient, Sample } from './edge-client.js';
import { type Stage, until } from './processes.js';

const CALLS_PER_SECOND = 200;
const TICK_MS = 20;

/** Calls at a steady pace, whether or not the ones before were answered: encrypt, or open a record. */
export class SteadyLoad {
  done = 0;
  newest = 0;
  /** When a record under the newest version was first answered, wall clock; 0: none was. */
  newestAt = 0;
  readonly failures: string[] = [];
  #stopped = false;
  #asked = 0;
  readonly #flying = new Set<Promise<void>>();
  readonly #ended: Promise<void>;

  constructor(
    stage: Stage,
    private readonly edge: EdgeClient,
    private readonly records: readonly Sample[],
  ) {
    this.#ended = this.#run();
    stage.atEnd(() => (this.#stopped = true));
  }

  async more(calls: number): Promise<void> {
    const goal = this.done + calls;
    await until('the load', 20_000, () => this.done >= goal || null);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
    await Promise.all(this.#flying);
  }

  async #run(): Promise<void> {
    const start = performance.now();
    while (!this.#stopped) {
      const due = ((performance.now() - start) / 1_000) * CALLS_PER_SECOND;
      for (; this.#asked < due; this.#asked += 1) {
        const call = this.#call(this.#asked).finally(() => this.#flying.delete(call));
        this.#flying.add(call);
      }
      await sleep(TICK_MS);
    }
  }

  async #call(at: number): Promise<void> {
    const old = this.records[at % this.records.length]!;
    const failed = at % 2 === 0 ? await this.#encrypts(old) : await this.#opens(old);
    this.done += 1;
    if (failed !== null) this.failures.push(failed);
  }

  async #encrypts({ tenant, plaintext }: Sample): Promise<string | null> {
    const { ciphertext, keyVersion = 0, code } = await this.edge.encrypt(tenant, plaintext);
    if (ciphertext === undefined) return `encrypt: ${code}`;
    if (keyVersion > this.newest) [this.newest, this.newestAt] = [keyVersion, Date.now()];
    return this.#opens({ tenant, plaintext, ciphertext });
  }

  async #opens(record: Sample): Promise<string | null> {
    const opened = await this.edge.opens(record);
    return opened === true ? null : `decrypt: ${opened}`;
  }
}
