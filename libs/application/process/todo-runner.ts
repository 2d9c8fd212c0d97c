import { type Clock, type EventId, fullJitterMs, type Random, type Scheduler } from '@kcm/kernel';
import type { Step, Todo } from '@kcm/processes';

/** The event that put an item on its list, and the correlation id that it carries on. */
export interface Cause {
  readonly event: EventId;
  readonly correlationId: string;
  /** The trace that it carries on, however much later. */
  readonly traceparent?: string;
}
export type StandingTodo = Todo & { readonly cause: Cause };
/**
 * Names an item. Its command id is UUIDv5 over [process, subject, item, cause]: an item that was
 * taken off and is put on again is another one.
 */
export interface ItemRef {
  readonly process: string;
  readonly subject: string;
  readonly item: string;
  readonly cause: Cause;
}
export type ExecuteStep = (step: Step, ref: ItemRef) => Promise<void>;

export interface TodoRunnerDeps {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** At least once; ends by appending the event that takes the item off the list. */
  readonly execute: ExecuteStep;
  /** An item failed and is tried again; `attempts` counts from 1. Must not throw. */
  onFailed(ref: ItemRef, error: unknown, attempts: number): void;
}
export interface StandingItem extends ItemRef {
  readonly attempts: number;
  /** How often it was begun. */
  readonly runs: number;
  /**
   * How long it has been due, as far as this process knows, whatever the wall clock did meanwhile;
   * below 0: it is not due yet.
   */
  readonly dueMs: number;
  readonly running: boolean;
}
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

/**
 * Executes the standing items of one process: single flight per (subject, item), each again with
 * full jitter until an event takes it off, at most `concurrencyMax` at a time and few of each
 * subject, in the order in which they became due.
 */
export class TodoRunner {
  readonly #entries = new Map<string, Entry>();
  readonly #ready: Entry[] = [];
  readonly #flying = new Set<Promise<void>>();
  /** How many run, by subject. */
  readonly #running = new Map<string, number>();
  #stopped = false;

  constructor(
    private readonly deps: TodoRunnerDeps,
    private readonly process: string,
    private readonly concurrencyMax: number,
  ) {}

  /** The whole list of a subject as it stands now. */
  sync(subject: string, todos: readonly StandingTodo[]): void {
    if (this.#stopped) return;
    const standing = new Set(todos.map(({ id }) => keyOf(subject, id)));
    for (const [key, entry] of this.#entries)
      if (entry.subject === subject && !standing.has(key)) this.#takeOff(key, entry);
    for (const todo of todos) this.#putOn(subject, todo);
    this.#pump();
  }

  /** What waits after a failure runs now: what it failed on may have gone (an unseal). */
  retryNow(): void {
    for (const entry of this.#entries.values())
      if (!entry.running && entry.attempts > 0) {
        entry.attempts = 0;
        entry.runs = 0;
        entry.dueSince = null;
        this.#schedule(entry, 0);
      }
    this.#pump();
  }

  standing(): readonly StandingItem[] {
    return [...this.#entries.values()]
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
    for (const entry of this.#entries.values()) entry.cancel?.();
    this.#ready.length = 0;
    await Promise.all(this.#flying);
  }

  #dueMs({ todo, dueSince }: Entry): number {
    if (dueSince !== null) return this.deps.clock.monotonicMs() - dueSince;
    return Math.min(0, -this.#untilDueMs(todo));
  }

  #untilDueMs({ dueAt }: StandingTodo): number {
    return dueAt === undefined ? 0 : Date.parse(dueAt) - this.deps.clock.wallMs();
  }

  #takeOff(key: string, entry: Entry): void {
    entry.standing = false;
    if (entry.running) return;
    entry.cancel?.();
    this.#entries.delete(key);
  }

  #putOn(subject: string, todo: StandingTodo): void {
    const key = keyOf(subject, todo.id);
    const known = this.#entries.get(key);
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
      this.#entries.set(key, entry);
      this.#schedule(entry, 0);
      return;
    }
    const moved = known.todo.dueAt !== todo.dueAt;
    known.todo = todo;
    if (!known.standing) {
      known.standing = true;
      known.again = true;
      [known.runs, known.dueSince] = [0, null];
    } else if (moved && !known.running) this.#schedule(known, 0);
  }

  /** After `ms`, and not before the item is due by the wall clock. */
  #schedule(entry: Entry, ms: number): void {
    entry.cancel?.();
    entry.cancel = null;
    if (this.#stopped) return;
    const untilDue = this.#untilDueMs(entry.todo);
    if (untilDue > 0) entry.dueSince = null;
    else entry.dueSince ??= this.deps.clock.monotonicMs();
    const wait = Math.min(Math.max(ms, untilDue), SLEEP_MS_MAX);
    if (!(wait > 0)) {
      if (!this.#ready.includes(entry)) this.#ready.push(entry);
      return;
    }
    entry.cancel = this.deps.scheduler.after(wait, () => {
      entry.cancel = null;
      this.#schedule(entry, ms - wait);
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#flying.size < this.concurrencyMax) {
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
    if (!entry.standing) this.#entries.delete(keyOf(entry.subject, entry.todo.id));
    else this.#schedule(entry, entry.again ? 0 : wait);
    entry.again = false;
  }

  #refOf({ subject, todo }: Entry): ItemRef {
    return { process: this.process, subject, item: todo.id, cause: todo.cause };
  }
}

const keyOf = (subject: string, item: string): string => `${subject}\n${item}`;
