import { fullJitterMs, TokenBucket } from '@kcm/kernel';
import type { ItemRef, Pace, StandingItem, StandingTodo, TodoRunnerDeps } from './standing.js';

interface Entry {
  readonly subject: string;
  todo: StandingTodo;
  standing: boolean;
  running: boolean;
  /** Monotonic clock when it was found to be due; null: it is not. */
  dueSince: number | null;
  /** Taken off and put on again while it ran. */
  again: boolean;
  attempts: number;
  runs: number;
  cancel: (() => void) | null;
}

const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 30_000;
/** How long the event of a step that succeeded may take to come back before it is run again. */
const SETTLE_MS = 5_000;
/** Items of one subject that run at a time: one that waits for a slow keystore keeps nobody else. */
const OF_ONE_SUBJECT_MAX = 2;
/** Longest sleep before the wall clock is looked at again: it may jump. */
const SLEEP_MS_MAX = 30_000;
/** What is found to have been due for longer than this is late. */
const LATE_MS = 60_000;

/**
 * Executes the standing items of one process: single flight per (subject, item), each again with
 * full jitter until an event takes it off, at most `concurrencyMax` at a time and few of each
 * subject, in the order in which they became due. What is late is spread from now on.
 */
export class TodoRunner {
  /** By subject and item. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #ready: Entry[] = [];
  readonly #flying = new Set<Promise<void>>();
  /** How many run, by subject. */
  readonly #running = new Map<string, number>();
  readonly #concurrencyMax: number;
  readonly #late: TokenBucket | null;
  #stopped = false;

  constructor(
    private readonly deps: TodoRunnerDeps,
    private readonly process: string,
    { concurrencyMax, latePerSecondMax: late }: Pace,
  ) {
    this.#concurrencyMax = concurrencyMax;
    const now = deps.clock.monotonicMs();
    this.#late = late === undefined ? null : new TokenBucket(1, late, now);
  }

  /** The whole list of a subject as it stands now. */
  sync(subject: string, todos: readonly StandingTodo[]): void {
    if (this.#stopped) return;
    const standing = new Set(todos.map(({ id }) => id));
    for (const [item, entry] of this.#entries.get(subject) ?? [])
      if (!standing.has(item)) this.#takeOff(entry);
    for (const todo of todos) this.#putOn(subject, todo);
    this.#pump();
  }

  /** What waits after a failure runs now: what it failed on may have gone (an unseal). */
  retryNow(): void {
    for (const entry of this.#all())
      if (!entry.running && entry.attempts > 0) {
        entry.attempts = 0;
        entry.runs = 0;
        entry.dueSince = null;
        this.#schedule(entry, this.#turnMs(entry));
      }
    this.#pump();
  }

  standing(): readonly StandingItem[] {
    return [...this.#all()]
      .filter(({ standing }) => standing)
      .map((entry) => ({
        ...this.#refOf(entry),
        attempts: entry.attempts,
        runs: entry.runs,
        dueMs: this.#dueMs(entry),
        running: entry.running,
      }));
  }

  /** Starts nothing more; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const entry of this.#all()) entry.cancel?.();
    this.#ready.length = 0;
    await Promise.all(this.#flying);
  }

  *#all(): Generator<Entry> {
    for (const entries of this.#entries.values()) yield* entries.values();
  }

  #dueMs({ todo, dueSince }: Entry): number {
    if (dueSince !== null) return this.deps.clock.monotonicMs() - dueSince;
    return Math.min(0, -this.#untilDueMs(todo));
  }

  #untilDueMs({ dueAt }: StandingTodo): number {
    return dueAt === undefined ? 0 : Date.parse(dueAt) - this.deps.clock.wallMs();
  }

  /** How long until it is the turn of a late item; 0 for any other. */
  #turnMs({ todo }: Entry): number {
    if (this.#late === null || this.#untilDueMs(todo) >= -LATE_MS) return 0;
    return this.#late.reserveMs(this.deps.clock.monotonicMs(), Infinity) ?? 0;
  }

  #takeOff(entry: Entry): void {
    entry.standing = false;
    if (entry.running) return;
    entry.cancel?.();
    this.#forget(entry);
  }

  #forget({ subject, todo }: Entry): void {
    const entries = this.#entries.get(subject);
    entries?.delete(todo.id);
    if (entries?.size === 0) this.#entries.delete(subject);
  }

  #putOn(subject: string, todo: StandingTodo): void {
    const entries = this.#entries.get(subject) ?? new Map<string, Entry>();
    const known = entries.get(todo.id);
    if (known === undefined) {
      const entry: Entry = {
        subject,
        todo,
        standing: true,
        running: false,
        dueSince: null,
        again: false,
        attempts: 0,
        runs: 0,
        cancel: null,
      };
      this.#entries.set(subject, entries.set(todo.id, entry));
      this.#schedule(entry, this.#turnMs(entry));
      return;
    }
    const moved = known.todo.dueAt !== todo.dueAt;
    known.todo = todo;
    if (!known.standing) {
      known.standing = true;
      known.again = true;
      [known.runs, known.dueSince] = [0, null];
    } else if (moved && !known.running) this.#schedule(known, this.#turnMs(known));
  }

  /** After `ms`, and not before the item is due by the wall clock. */
  #schedule(entry: Entry, ms: number): void {
    entry.cancel?.();
    entry.cancel = null;
    if (this.#stopped) return;
    const untilDue = this.#untilDueMs(entry.todo);
    if (untilDue > 0) entry.dueSince = null;
    else entry.dueSince ??= this.deps.clock.monotonicMs();
    const wait = Math.max(ms, Math.min(untilDue, SLEEP_MS_MAX));
    if (!(wait > 0)) {
      if (!this.#ready.includes(entry)) this.#ready.push(entry);
      return;
    }
    entry.cancel = this.deps.scheduler.after(wait, () => {
      entry.cancel = null;
      this.#schedule(entry, 0);
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#flying.size < this.#concurrencyMax) {
      const at = this.#ready.findIndex((entry) => this.#hasRoom(entry));
      if (at < 0) return;
      const [entry] = this.#ready.splice(at, 1) as [Entry];
      if (!entry.standing || entry.running) continue;
      entry.running = true;
      entry.runs += 1;
      this.#count(entry, 1);
      const flight = this.#run(entry).finally(() => {
        this.#flying.delete(flight);
        this.#count(entry, -1);
        this.#pump();
      });
      this.#flying.add(flight);
    }
  }

  #hasRoom({ subject, standing, running }: Entry): boolean {
    return !standing || running || (this.#running.get(subject) ?? 0) < OF_ONE_SUBJECT_MAX;
  }

  #count({ subject }: Entry, change: 1 | -1): void {
    const running = (this.#running.get(subject) ?? 0) + change;
    if (running > 0) this.#running.set(subject, running);
    else this.#running.delete(subject);
  }

  async #run(entry: Entry): Promise<void> {
    const ref = this.#refOf(entry);
    let wait = SETTLE_MS;
    try {
      await this.deps.execute(entry.todo.step, ref);
      entry.attempts = 0;
    } catch (error) {
      wait = fullJitterMs(this.deps.random, entry.attempts, RETRY_MS_MIN, RETRY_MS_MAX);
      entry.attempts += 1;
      this.deps.onFailed(ref, error, entry.attempts);
    }
    entry.running = false;
    if (!entry.standing) this.#forget(entry);
    else this.#schedule(entry, entry.again ? 0 : wait);
    entry.again = false;
  }

  #refOf({ subject, todo }: Entry): ItemRef {
    return { process: this.process, subject, item: todo.id, cause: todo.cause };
  }
}
