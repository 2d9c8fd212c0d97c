import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeClient, Sample } from './edge-client.js';
import { type Stage, until } from './processes.js';

const PAUSE_MS = 40;

/** What became of one kind of call; times by the wall clock, as keystore and ledger have them. */
class Account {
  served = 0;
  refused = 0;
  lastServedAt = 0;
  /** Of the first refusal since it was last served; null: the last call was served. */
  refusedAt: number | null = null;
  code: string | null = null;
  status = 0;

  note(status: number, code: string | null): void {
    const now = Date.now();
    if (code === null) {
      this.served += 1;
      this.lastServedAt = now;
      this.refusedAt = null;
      return;
    }
    this.refused += 1;
    this.refusedAt ??= now;
    this.code = code;
    this.status = status;
  }
}

/** A service that encrypts, and opens one record, again and again. */
export class Workload {
  readonly encrypts = new Account();
  readonly decrypts = new Account();
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(
    stage: Stage,
    private readonly edge: EdgeClient,
    readonly sample: Sample,
  ) {
    this.#done = this.#run();
    stage.atEnd(() => (this.#stopped = true));
  }

  /** With a record of its own; so the tenant is served. */
  static async of(stage: Stage, edge: EdgeClient, tenant: string): Promise<Workload> {
    return new Workload(stage, edge, await edge.sample(tenant, `a record of ${tenant}`));
  }

  /** The last answer of any kind that was no refusal. */
  get lastServedAt(): number {
    return Math.max(this.encrypts.lastServedAt, this.decrypts.lastServedAt);
  }

  /** Encrypting and decrypting both refused. @throws Error when one goes on for so long */
  untilRefused(ms: number): Promise<true> {
    const { encrypts, decrypts } = this;
    return until(`refusals of ${this.sample.tenant}`, ms, () =>
      encrypts.refusedAt !== null && decrypts.refusedAt !== null ? true : null,
    );
  }

  /** Both served again, from now on. @throws Error with the code of the refusal */
  async untilServed(ms: number): Promise<void> {
    const { encrypts, decrypts } = this;
    const start = Date.now();
    await until(`service of ${this.sample.tenant}`, ms, () =>
      encrypts.lastServedAt > start && decrypts.lastServedAt > start ? true : null,
    ).catch((error: Error) => {
      throw new Error(`${error.message}: ${encrypts.code} / ${decrypts.code}`);
    });
  }

  /** Codes of the last refusals: of encrypt, of decrypt. */
  get codes(): readonly (string | null)[] {
    return [this.encrypts.code, this.decrypts.code];
  }

  async stop(): Promise<this> {
    this.#stopped = true;
    await this.#done;
    return this;
  }

  async #run(): Promise<void> {
    const { tenant, plaintext, ciphertext } = this.sample;
    const expected = Buffer.from(plaintext, 'utf8').toString('base64');
    while (!this.#stopped) {
      const encrypted = await this.edge.encrypt(tenant, plaintext).catch(failed);
      this.encrypts.note(encrypted.status, encrypted.code);
      const opened = await this.edge.decrypt(tenant, ciphertext).catch(failed);
      const other = opened.code === null && opened.plaintext !== expected;
      this.decrypts.note(opened.status, other ? 'other bytes came out' : opened.code);
      await sleep(PAUSE_MS);
    }
  }
}

const failed = (error: unknown): { status: number; code: string; plaintext?: string } => ({
  status: 0,
  code: error instanceof Error ? error.message : 'failed',
});
