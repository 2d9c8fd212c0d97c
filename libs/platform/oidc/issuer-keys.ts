import { type Clock, LIMITS, rfc3339, type Scheduler } from '@kcm/kernel';
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { type IssuerSource, IssuerUnusable, type ReadIssuer } from './read-issuer.js';

export interface IssuerKeysDeps {
  readonly read: ReadIssuer;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** The issuer could not be read; at most once in LIMITS.oidcReadAgainMsMin. */
  readonly onFailed: (issuer: string, reason: string) => void;
}
interface Kept {
  readonly find: JWTVerifyGetKey;
  /** Of the clock since boot, which goes on while the machine sleeps. */
  readonly readAtMs: number;
}

/**
 * The public keys of one issuer. They are read again in the background and, once in
 * LIMITS.oidcReadAgainMsMin at most, for a key id that is not among them. While the issuer cannot
 * be read, the last ones go on for LIMITS.oidcKeysMsMax; after that there are none.
 */
export class IssuerKeys {
  #kept: Kept | null = null;
  #failure: string | null = null;
  #triedAtMs: number | null = null;
  #reading: Promise<void> | null = null;
  #cancel = (): void => {};
  readonly #end = new AbortController();

  constructor(
    private readonly source: IssuerSource,
    private readonly deps: IssuerKeysDeps,
  ) {}

  /** Reads now and from time to time, until `stop`. */
  start(): void {
    void this.#read().then(() => {
      if (this.#end.signal.aborted) return;
      const { oidcRefreshMs, oidcReadAgainMsMin } = LIMITS;
      const ms = this.#failure === null ? oidcRefreshMs : oidcReadAgainMsMin;
      this.#cancel = this.deps.scheduler.after(ms, () => this.start());
    });
  }

  stop(): void {
    this.#cancel();
    this.#end.abort();
  }

  /** What an operator should know, or null. */
  trouble(): string | null {
    if (this.#failure === null) return null;
    if (this.#usable() === null) return 'it cannot be read: its tokens are refused';
    const leftMs = this.#kept!.readAtMs + LIMITS.oidcKeysMsMax - this.deps.clock.bootMs();
    return `it cannot be read; its known keys go on until ${rfc3339(this.deps.clock.wallMs() + leftMs)}`;
  }

  /** @throws IssuerUnusable · jose's errors for a key that is not there or does not fit */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (this.#usable() === null) await this.#readIfDue();
    const keys = this.#usable();
    if (keys === null) throw new IssuerUnusable(this.#failure ?? 'it was not read yet');
    try {
      return await keys(header, token);
    } catch (error) {
      const unknown = error instanceof errors.JWKSNoMatchingKey;
      if (!unknown || !(await this.#readIfDue())) throw error;
      return (this.#usable() ?? keys)(header, token);
    }
  };

  #usable(): JWTVerifyGetKey | null {
    if (this.#kept === null) return null;
    const ageMs = this.deps.clock.bootMs() - this.#kept.readAtMs;
    return ageMs < LIMITS.oidcKeysMsMax ? this.#kept.find : null;
  }

  /** @returns whether it was read since the question */
  async #readIfDue(): Promise<boolean> {
    const sinceMs = this.deps.clock.bootMs() - (this.#triedAtMs ?? -Infinity);
    if (this.#reading === null && sinceMs < LIMITS.oidcReadAgainMsMin) return false;
    await this.#read();
    return true;
  }

  /** One at a time; whoever asks meanwhile waits for the same. Never rejects. */
  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const startedAtMs = this.deps.clock.bootMs();
    this.#triedAtMs = startedAtMs;
    try {
      const set = await this.deps.read(this.source, this.#end.signal);
      this.#kept = { find: createLocalJWKSet(set), readAtMs: startedAtMs };
      this.#failure = null;
    } catch (error) {
      if (this.#end.signal.aborted) return;
      this.#failure = error instanceof IssuerUnusable ? error.message : 'its keys are malformed';
      this.deps.onFailed(this.source.issuer, this.#failure);
    }
  }
}
