import { fullJitterMs } from './backoff.js';
import { KcmError } from './errors.js';
import { LIMITS } from './limits.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';
import { within } from './within.js';

/** Of the act, as a log may tell it. */
export interface Act {
  readonly act: string;
  readonly tenant: string | null;
  readonly actor: string;
  readonly commandId: string;
}
/**
 * `waits`: it acts and could not be recorded. `recorded`: it was one that waited. `refused`: there
 * is nothing to record any more. `lost`: not recorded when this process ended.
 */
export type Fate = 'waits' | 'recorded' | 'refused' | 'lost';
export interface RecordingDeps {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Must not throw. */
  readonly tell: (fate: Fate, act: Act, error?: unknown) => void;
}
interface Entry {
  readonly act: Act;
  readonly record: () => Promise<void>;
  told: boolean;
}
interface Queue {
  readonly entries: Entry[];
  attempt: number;
  /** While the first entry is tried. */
  running: Promise<void> | null;
  cancel: () => void;
}

/** What says nothing about whether an act can be recorded: that is found out by trying again. */
const UNDECIDED: ReadonlySet<string> = new Set([
  'ledger_unavailable',
  'revision_conflict',
  'sealed',
  'internal',
]);
export const isUndecided = (error: unknown): boolean =>
  !(error instanceof KcmError) || UNDECIDED.has(error.code);

/**
 * Acts that took effect before their record: each is recorded for as long as it takes, those under
 * one key in the order in which they came. What is not recorded when the process ends is lost.
 */
export class Recording {
  readonly #queues = new Map<string, Queue>();
  #ended = false;

  constructor(private readonly deps: RecordingDeps) {}

  /** How many acts are not recorded yet. */
  get pending(): number {
    return [...this.#queues.values()].reduce((sum, { entries }) => sum + entries.length, 0);
  }
  has(key: string): boolean {
    return this.#queues.has(key);
  }

  /** `record` is called until it resolves or says no; it must be harmless to repeat. */
  add(key: string, act: Act, record: () => Promise<void>): void {
    const entry = { act, record, told: false };
    if (this.#ended) return this.deps.tell('lost', act);
    const known = this.#queues.get(key);
    if (known !== undefined) return void known.entries.push(entry);
    const queue = { entries: [entry], attempt: 0, running: null, cancel: () => {} };
    this.#queues.set(key, queue);
    this.#run(key, queue);
  }

  /** At once instead of later: something says that it can be recorded now. */
  now(key: string): void {
    const queue = this.#queues.get(key);
    if (queue !== undefined) this.#run(key, queue);
  }

  /** One last try of each, for `ms` at most. */
  async end(ms: number): Promise<void> {
    for (const [key, queue] of this.#queues) this.#run(key, queue);
    const tries = [...this.#queues.values()].map(({ running }) => running ?? Promise.resolve());
    await within(this.deps.scheduler, ms, Promise.all(tries));
    this.drop();
  }

  /** At once, and nothing is tried any more. */
  drop(): void {
    this.#ended = true;
    const left = [...this.#queues.values()];
    this.#queues.clear();
    for (const { entries, cancel } of left) {
      cancel();
      for (const { act } of entries) this.deps.tell('lost', act);
    }
  }

  #run(key: string, queue: Queue): void {
    if (queue.running !== null) return;
    queue.cancel();
    queue.running = this.#record(key, queue).finally(() => {
      queue.running = null;
    });
  }

  async #record(key: string, queue: Queue): Promise<void> {
    for (let entry = queue.entries[0]; entry !== undefined; entry = queue.entries[0]) {
      const fate = await this.#try(entry);
      // Dropped meanwhile: its fate has been told.
      if (this.#queues.get(key) !== queue) return;
      if (fate === 'waits') return this.#later(key, queue);
      if (entry.told && fate === 'recorded') this.deps.tell('recorded', entry.act);
      queue.entries.shift();
      queue.attempt = 0;
    }
    this.#queues.delete(key);
  }

  async #try(entry: Entry): Promise<Fate> {
    try {
      await entry.record();
      return 'recorded';
    } catch (error) {
      if (!isUndecided(error)) {
        this.deps.tell('refused', entry.act, error);
        return 'refused';
      }
      if (!entry.told) this.deps.tell('waits', entry.act, error);
      entry.told = true;
      return 'waits';
    }
  }

  #later(key: string, queue: Queue): void {
    const { retryMsMin, retryMsMax } = LIMITS;
    const ms = fullJitterMs(this.deps.random, queue.attempt, retryMsMin, retryMsMax);
    queue.attempt += 1;
    queue.cancel = this.deps.scheduler.after(ms, () => this.#run(key, queue));
  }
}
