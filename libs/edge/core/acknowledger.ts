import { fullJitterMs, rfc3339, type Random } from '@kcm/kernel';
import type { AckStatement } from '@kcm/kmip';
import type { CorePort, Notice } from './core-port.js';
import type { GcWitness, Witnessed } from '../leases/gc-witness.js';
import type { L3Handle } from '../records/l3-handle.js';

const RETRY = { baseMs: 200, capMs: 10_000 };
/** Words that wait for Core at once; one more displaces the oldest. */
const WORDS_MAX = 10_000;

export interface AcknowledgerParts {
  readonly core: Pick<CorePort, 'state'>;
  readonly witness: Pick<GcWitness, 'confirm'>;
  readonly boot: string;
  readonly random: Random;
  readonly wallMs: () => number;
  /** A word was displaced: its revocation will call this holder silent. */
  readonly onLost: (tenant: string) => void;
}
interface Word {
  readonly tenant: string;
  over: boolean;
  wake: () => void;
}

/** Says to Core, signed, what a revocation found here and when it was gone (leases.md step 7). */
export class Acknowledger {
  /** Oldest first. */
  readonly #words = new Map<string, Word>();
  #stopped = false;

  constructor(private readonly parts: AcknowledgerParts) {}

  /** Words that Core has not recorded yet. */
  get waiting(): number {
    return this.#words.size;
  }

  /**
   * `dropped`: already useless, and their L3 overwritten; none of a read-only. Resolves when Core has recorded it,
   * however long that takes, or with false when it never will.
   */
  async acknowledge(notice: Notice, dropped: readonly L3Handle[]): Promise<boolean> {
    const { tenant, uid, change, term, epoch } = notice;
    const refusedAt = rfc3339(this.parts.wallMs());
    const said = [change, uid, term, epoch].join(' ');
    // Told again of what it said already: the first word has the earlier times.
    if (this.#stopped || (dropped.length === 0 && this.#words.has(said))) return false;
    const name = this.#words.has(said) ? `${said} ${refusedAt}` : said;
    const word: Word = { tenant, over: false, wake: () => {} };
    this.#words.set(name, word);
    this.#displace();
    try {
      const groups = dropped.map((handle) => handle.witnessed);
      const handles = groups.reduce((sum, group) => sum + group.alive, dropped.length);
      const erasedAt = change === 'readOnly' ? 'kept' : await this.#erased(groups);
      const { boot } = this.parts;
      const statement = { boot, uid, term, epoch, refusedAt, erasedAt, handles } as const;
      return await this.#deliver(word, statement, notice.traceparent);
    } finally {
      if (this.#words.get(name) === word) this.#words.delete(name);
    }
  }

  async #erased(groups: readonly Witnessed[]): Promise<string> {
    const erased = await this.parts.witness.confirm(groups);
    return erased ? rfc3339(this.parts.wallMs()) : 'dropped-unconfirmed';
  }

  stop(): void {
    this.#stopped = true;
    for (const word of this.#words.values()) giveUp(word);
  }

  async #deliver(word: Word, statement: AckStatement, traceparent?: string): Promise<boolean> {
    const { core, random } = this.parts;
    // A signature takes longer than a notice: those that have arrived by now are refused on first.
    await new Promise((resolve) => setImmediate(resolve));
    for (let failures = 0; !word.over; failures += 1) {
      const delivery = await core.state('ack', { ...statement }, traceparent);
      if (delivery !== 'unheard') return delivery === 'recorded';
      if (!word.over) await pause(word, fullJitterMs(random, failures, RETRY.baseMs, RETRY.capMs));
    }
    return false;
  }

  #displace(): void {
    if (this.#words.size <= WORDS_MAX) return;
    for (const [name, word] of this.#words) {
      this.#words.delete(name);
      giveUp(word);
      this.parts.onLost(word.tenant);
      return;
    }
  }
}

function giveUp(word: Word): void {
  word.over = true;
  word.wake();
}

function pause(word: Word, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    word.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
