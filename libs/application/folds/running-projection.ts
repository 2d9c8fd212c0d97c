import {
  failureOf,
  KcmError,
  noTracer,
  type OneOrMore,
  type Position,
  type RecordedEvent,
  type Span,
  spansOf,
  type Tracer,
  Turns,
} from '@kcm/kernel';
import type { EventCatalog } from '@kcm/ledger';
import {
  type Checkpoint,
  type Projection,
  type ReadModelReader,
  type ReadModelWriter,
  type Stored,
} from '@kcm/read-models';
import { type FeedConsumer, FeedLoop, type FeedLoopDeps, type FeedState } from './feed-loop.js';
import { foldBatch, wordsOf } from './fold-batch.js';
import { Refold } from './refold.js';

export interface ProjectionDeps extends Omit<FeedLoopDeps, 'report'> {
  readonly catalog: EventCatalog;
  readonly writer: ReadModelWriter;
  readonly reader: ReadModelReader;
  readonly tracer?: Tracer;
  /** A failure that stops a projection, or one that is tried again. Must not throw. */
  report(name: string, error: unknown, state: FeedState): void;
}
export interface ProjectionHealth {
  readonly name: string;
  readonly version: number;
  /** Everything up to here is in the read model. */
  readonly position: Position | null;
  readonly state: FeedState | 'rebuilding';
  /** Why it waits or failed. */
  readonly detail: string | null;
}
export interface Rebuilt {
  readonly version: number;
  readonly position: Position | null;
  readonly documents: number;
  readonly digest: string;
  /** Whether what stood there before was the same; null: there was nothing of this ledger. */
  readonly equal: boolean | null;
}
/** Told to whoever acts on the documents. Must not throw. */
export interface ProjectionListener {
  committed(docs: readonly Stored<unknown>[]): void;
  /** All documents are as of now: at the first catch-up, and after each later one or a rebuild. */
  caughtUp(): Promise<void>;
}

/** One projection: its feed, its checkpoint, and a rebuild beside it. */
export class RunningProjection implements FeedConsumer {
  readonly #loop: FeedLoop;
  /** A rebuild takes the place of the live one between two of its batches. */
  readonly #turns = new Turns();
  #position: Position | null = null;
  #activated = false;
  #rebuilding = false;
  #aborted = new AbortController();

  constructor(
    private readonly deps: ProjectionDeps,
    private readonly projection: Projection<unknown>,
    private readonly listener: ProjectionListener | null = null,
  ) {
    const report: FeedLoopDeps['report'] = (error, state) =>
      deps.report(projection.name, error, state);
    this.#loop = new FeedLoop({ ...deps, report }, this);
  }

  start(): void {
    this.#aborted = new AbortController();
    this.#loop.start();
  }
  async stop(): Promise<void> {
    this.#aborted.abort();
    await this.#loop.stop();
    await this.#turns.take(async () => {});
  }

  health(): ProjectionHealth {
    const { error, state } = this.#loop;
    return {
      name: this.projection.name,
      version: this.projection.version,
      position: this.#position,
      state: this.#rebuilding ? 'rebuilding' : state,
      detail: error === null ? null : wordsOf(error),
    };
  }

  async resume(): Promise<Position | 'start'> {
    const { writer } = this.deps;
    const { name, version, indexes } = this.projection;
    const stored = await writer.checkpoint(name, version);
    this.#position = stored?.position ?? null;
    if (stored === null) return 'start';
    // Refuses the checkpoint of another ledger, and brings declared indexes up to date.
    await writer.commit(name, version, [], this.#checkpoint(stored.position), indexes);
    return stored.position;
  }

  async events(events: OneOrMore<RecordedEvent>): Promise<void> {
    await this.#turns.take(async () => {
      const docs = await this.#traced(events, () => this.#apply(this.projection.name, events));
      this.#position = events.at(-1)!.position;
      this.listener?.committed(docs);
    });
  }
  async passed(position: Position): Promise<void> {
    await this.#turns.take(async () => {
      await this.#commit(this.projection.name, [], position);
      this.#position = position;
    });
  }
  async caughtUp(): Promise<void> {
    const { name, version } = this.projection;
    if (!this.#activated) await this.deps.writer.activate(name, version);
    this.#activated = true;
    await this.listener?.caughtUp();
  }

  /**
   * Folds the ledger from its start into a collection beside, then puts that in the place of the
   * live one, which serves until then. A projection that had failed goes on from there.
   * @throws KcmError wrong_state (a rebuild is under way) · FoldFailed · the engines' errors
   */
  async rebuild(): Promise<Rebuilt> {
    if (this.#rebuilding) throw new KcmError('wrong_state', 'A rebuild is under way.');
    this.#rebuilding = true;
    const { name, version } = this.projection;
    const built = `${name}.rebuild`;
    try {
      await this.deps.writer.reset(built, version);
      await this.#replay(built, await this.#target());
      const done = await this.#turns.take(async () => {
        await this.#replay(built, await this.#target());
        return this.#switch(built);
      });
      await this.listener?.caughtUp();
      return done;
    } finally {
      this.#rebuilding = false;
      if (this.#loop.state === 'failed' && !this.#aborted.signal.aborted) this.#loop.start();
      await this.deps.writer.reset(built, version);
    }
  }

  async #switch(built: string): Promise<Rebuilt> {
    const { reader, writer } = this.deps;
    const { name, version } = this.projection;
    const ours = (await writer.checkpoint(name, version))?.ledger === this.deps.ledger.id;
    await writer.activate(built, version);
    const after = await reader.digest(built);
    if (after === null) throw new KcmError('internal', `The rebuild of ${name} is not there.`);
    const before = ours ? await reader.digest(name) : null;
    // Nothing was ever committed: there is no collection to put anywhere.
    if (after.position !== null) await writer.replace(name, version, built);
    this.#position = after.position;
    const equal = before?.version === version ? before.digest === after.digest : null;
    return { ...after, equal };
  }

  /** Where a rebuild ends: where the live one is, or the ledger's head when it is nowhere. */
  async #target(): Promise<Position | null> {
    const { ledger, writer } = this.deps;
    const stored = await writer.checkpoint(this.projection.name, this.projection.version);
    return stored?.ledger === ledger.id ? stored.position : ledger.head();
  }

  async #replay(built: string, target: Position | null): Promise<void> {
    const { catalog, ledger, writer } = this.deps;
    const from = await writer.checkpoint(built, this.projection.version);
    if (target === null || (from !== null && from.position >= target)) return;
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#aborted.signal]);
    const fold = new Refold(this.projection, {
      writer,
      name: built,
      catalog,
      commit: (docs, position) => this.#commit(built, docs, position),
      empty: from === null,
    });
    for await (const item of ledger.feed(from?.position ?? 'start', signal)) {
      if (item.kind === 'fellBehind') continue;
      if (item.kind === 'events') {
        const mine = item.events.filter(({ position }) => position <= target);
        if (mine.length > 0) await fold.add(mine);
        if (item.events.at(-1)!.position < target) continue;
      }
      if (item.kind === 'passed' && item.position < target) continue;
      break;
    }
    stop.abort();
    if (this.#aborted.signal.aborted)
      throw new KcmError('wrong_state', 'The rebuild was stopped before it was done.');
    await fold.write(target);
    await this.#commit(built, [], target);
  }

  async #apply(
    name: string,
    events: readonly RecordedEvent[],
  ): Promise<readonly Stored<unknown>[]> {
    const { catalog, writer } = this.deps;
    const docs = await foldBatch(this.projection, { writer, name }, catalog, events);
    await this.#commit(name, docs, events.at(-1)!.position);
    return docs;
  }

  /** Live ones only: to catch up or to rebuild is not part of what once caused an event. */
  async #traced<T>(events: readonly RecordedEvent[], fold: () => Promise<T>): Promise<T> {
    const { tracer = noTracer } = this.deps;
    const { name, handles } = this.projection;
    let spans: readonly Span[] = [];
    if (tracer.on && this.#loop.state === 'live') {
      const mine = events.filter(({ type }) => handles.includes(type));
      const about = { 'kcm.projection': name, 'kcm.position': events.at(-1)!.position };
      spans = spansOf(tracer, `project ${name}`, mine, about);
    }
    try {
      const done = await fold();
      for (const span of spans) span.end();
      return done;
    } catch (error) {
      for (const span of spans) span.end(failureOf(error));
      throw error;
    }
  }

  async #commit(name: string, docs: readonly Stored<unknown>[], position: Position): Promise<void> {
    const { version, indexes } = this.projection;
    await this.deps.writer.commit(name, version, docs, this.#checkpoint(position), indexes);
  }
  #checkpoint(position: Position): Checkpoint {
    return { ledger: this.deps.ledger.id, position };
  }
}
