import type { Recorded } from '@kcm/domain';
import type { RecordedEvent } from '@kcm/kernel';
import type { Process } from '@kcm/processes';
import type { DocKey, Page, Projection, Stored } from '@kcm/read-models';
import {
  type ProjectionDeps,
  type ProjectionHealth,
  RunningProjection,
} from '../folds/running-projection.js';
import type { StandingItem, StandingTodo, TodoRunnerDeps } from './standing.js';
import { TodoRunner } from './todo-runner.js';

export interface ProcessHostDeps extends ProjectionDeps, TodoRunnerDeps {}

/** How a process is stored: its state, and what stands on its list since which event. */
interface ProcessDoc {
  readonly state: unknown;
  readonly due: readonly StandingTodo[];
  /** Something stands: found by an index at start. */
  readonly open: boolean;
}

/** Items of one process that run at a time; each process has its own, so none starves another. */
const CONCURRENCY_MAX = 64;
const SCAN_PAGE = 200;

export const processProjection = (process: Process): Projection<ProcessDoc> => ({
  name: `process-${process.name}`,
  version: process.version,
  handles: process.handles,
  indexes: [{ fields: ['open'] }],
  keys: (event: RecordedEvent) =>
    process.subjects(event as unknown as Recorded) as readonly DocKey[],
  initial: (subject) => ({ state: process.initial(subject), due: [], open: false }),
  evolve(doc, event) {
    const state = process.evolve(doc.state, event as unknown as Recorded);
    const { correlationId, traceparent } = event.meta;
    const traced = traceparent === undefined ? {} : { traceparent };
    const cause = { event: event.id, correlationId, ...traced };
    const due = process.todo(state).map((todo) => ({
      ...todo,
      cause: doc.due.find((standing) => standing.id === todo.id)?.cause ?? cause,
    }));
    return { state, due, open: due.length > 0 };
  },
});

/**
 * Folds process managers like projections and executes what stands on their lists. Nothing is run
 * before the lists are as of now: a step that was done before a restart is not done again unless
 * the process was killed between the step and its event.
 */
export class ProcessHost {
  readonly #hosted: readonly HostedProcess[];

  constructor(deps: ProcessHostDeps, processes: readonly Process[]) {
    this.#hosted = processes.map((process) => new HostedProcess(deps, process));
  }

  start(): void {
    for (const each of this.#hosted) each.projection.start();
  }
  /** Starts nothing more; resolves when steps and batches under way have ended. */
  async stop(): Promise<void> {
    await Promise.all(this.#hosted.map((each) => each.stop()));
  }
  /** Runs now what waits after a failure: after an unseal, or when a keystore is back. */
  retryNow(): void {
    for (const each of this.#hosted) each.todos.retryNow();
  }
  health(): readonly ProjectionHealth[] {
    return this.#hosted.map((each) => each.projection.health());
  }
  names(): readonly string[] {
    return this.#hosted.map((each) => each.name);
  }
  /** What stands on the lists now. */
  standing(): readonly StandingItem[] {
    return this.#hosted.flatMap((each) => each.todos.standing());
  }
}

class HostedProcess {
  readonly projection: RunningProjection;
  readonly todos: TodoRunner;
  readonly name: string;
  readonly #name: string;
  #asOfNow = false;

  constructor(
    private readonly deps: ProcessHostDeps,
    process: Process,
  ) {
    const projection = processProjection(process);
    this.name = process.name;
    this.#name = projection.name;
    this.todos = new TodoRunner(deps, process.name, {
      concurrencyMax: CONCURRENCY_MAX,
      latePerSecondMax: process.latePerSecondMax,
    });
    this.projection = new RunningProjection(deps, projection, {
      committed: (docs) => this.#committed(docs as readonly Stored<ProcessDoc>[]),
      caughtUp: () => this.#caughtUp(),
    });
  }

  async stop(): Promise<void> {
    await Promise.all([this.todos.stop(), this.projection.stop()]);
  }

  #committed(docs: readonly Stored<ProcessDoc>[]): void {
    if (!this.#asOfNow) return;
    for (const { key, doc } of docs) this.#sync(key, doc);
  }

  async #caughtUp(): Promise<void> {
    this.#asOfNow = true;
    let cursor: string | null = null;
    do {
      const page: Page<ProcessDoc> = await this.deps.reader.list<ProcessDoc>(this.#name, {
        where: { open: true },
        limit: SCAN_PAGE,
        ...(cursor === null ? {} : { cursor }),
      });
      for (const { key, doc } of page.items) this.#sync(key, doc);
      cursor = page.next;
    } while (cursor !== null);
  }

  #sync(subject: DocKey, doc: ProcessDoc | null): void {
    this.todos.sync(subject, doc === null ? [] : doc.due);
  }
}
