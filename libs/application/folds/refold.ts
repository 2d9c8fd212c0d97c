import type { Position, RecordedEvent } from '@kcm/kernel';
import type { EventCatalog } from '@kcm/ledger';
import type { DocKey, Projection, ReadModelWriter, Stored } from '@kcm/read-models';
import { foldInto, workOf } from './fold-batch.js';

/** Documents in memory at most; with the next batch all are written and forgotten. */
const DOCS_MAX = 20_000;
/** Documents of one transaction: others write to the same file meanwhile. */
const PORTION = 1_000;

/**
 * Folds a ledger from its start into a new collection. Documents stay in memory from event to event
 * and are written once, not once a batch; how many stay is bounded, so memory does not grow with
 * the ledger.
 */
export class Refold<D> {
  readonly #docs = new Map<DocKey, Stored<D>>();
  readonly #changed = new Set<DocKey>();
  /** Something was written and forgotten: what is not in memory may be in the store. */
  #forgot: boolean;

  constructor(
    private readonly projection: Projection<D>,
    private readonly target: {
      readonly writer: Pick<ReadModelWriter, 'load'>;
      readonly name: string;
      readonly catalog: EventCatalog;
      /** Writes documents with the position that all of them are at or before. */
      readonly commit: (docs: readonly Stored<D>[], position: Position) => Promise<void>;
      /** Whether the collection is empty. */
      readonly empty: boolean;
      readonly docsMax?: number;
    },
  ) {
    this.#forgot = !target.empty;
  }

  /** @throws FoldFailed · the store's errors */
  async add(events: readonly RecordedEvent[]): Promise<void> {
    const { name, catalog, docsMax = DOCS_MAX } = this.target;
    const work = workOf(this.projection, name, catalog, events);
    if (this.#forgot) await this.#recall(work.flatMap(({ keys }) => keys));
    foldInto(this.projection, name, work, this.#docs, this.#changed);
    if (this.#docs.size < docsMax) return;
    await this.write(events.at(-1)!.position);
    this.#docs.clear();
    this.#forgot = true;
  }

  /** Writes what is not written yet; `position`: everything up to there was added. */
  async write(position: Position): Promise<void> {
    const docs = [...this.#changed].map((key) => this.#docs.get(key)!);
    this.#changed.clear();
    for (let at = 0; at < docs.length; at += PORTION)
      await this.target.commit(docs.slice(at, at + PORTION), position);
  }

  async #recall(keys: readonly DocKey[]): Promise<void> {
    const { writer, name } = this.target;
    const missing = [...new Set(keys)].filter((key) => !this.#docs.has(key));
    const stored = await writer.load<D>(name, this.projection.version, missing);
    for (const [key, doc] of stored) this.#docs.set(key, doc);
  }
}
