import { KcmError, type RecordedEvent } from '@kcm/kernel';
import type { EventCatalog } from '@kcm/ledger';
import type { DocKey, Projection, ReadModelWriter, Stored } from '@kcm/read-models';

/** What to tell people of something thrown. */
export const wordsOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : JSON.stringify(thrown);

/** An event that a fold cannot take: unknown to this release, or at odds with what was folded. */
export class FoldFailed extends KcmError {
  constructor(name: string, event: RecordedEvent, cause: unknown) {
    super('integrity', `${name} stopped at ${event.position} (${event.type}): ${wordsOf(cause)}`, {
      cause,
    });
  }
}

/** Where the documents of a projection are kept: under its own name, or another while it is built. */
export interface FoldTarget {
  readonly writer: Pick<ReadModelWriter, 'load'>;
  readonly name: string;
}
/** An event and the documents that it changes. */
export interface Work {
  readonly event: RecordedEvent;
  readonly keys: readonly DocKey[];
}

/**
 * The documents that a batch of events changes, each as it is after the last of them. Reads the
 * stored ones once; what a document has already seen is not folded again.
 * @throws FoldFailed · the store's errors
 */
export async function foldBatch<D>(
  projection: Projection<D>,
  stored: FoldTarget,
  catalog: EventCatalog,
  events: readonly RecordedEvent[],
): Promise<readonly Stored<D>[]> {
  const work = workOf(projection, stored.name, catalog, events);
  const keys = [...new Set(work.flatMap((each) => each.keys))];
  const docs = new Map(await stored.writer.load<D>(stored.name, projection.version, keys));
  const changed = new Set<DocKey>();
  foldInto(projection, stored.name, work, docs, changed);
  return [...changed].map((key) => docs.get(key)!);
}

/** @throws FoldFailed on an event that this release does not know */
export function workOf<D>(
  projection: Projection<D>,
  name: string,
  catalog: EventCatalog,
  events: readonly RecordedEvent[],
): readonly Work[] {
  const work: Work[] = [];
  for (const raw of events)
    try {
      const event = catalog.upcast(raw);
      if (projection.handles.includes(event.type))
        work.push({ event, keys: projection.keys(event) });
    } catch (error) {
      throw new FoldFailed(name, raw, error);
    }
  return work;
}

/**
 * Folds into `docs`, which holds every document of the work that is stored, and notes the keys of
 * those that it `changed`. @throws FoldFailed
 */
export function foldInto<D>(
  projection: Projection<D>,
  name: string,
  work: readonly Work[],
  docs: Map<DocKey, Stored<D>>,
  changed: Set<DocKey>,
): void {
  for (const { event, keys } of work)
    for (const key of keys) {
      const known = docs.get(key);
      if (known !== undefined && known.at >= event.position) continue;
      try {
        const doc = projection.evolve(known?.doc ?? projection.initial(key), event, key);
        docs.set(key, { key, doc, at: event.position });
      } catch (error) {
        throw new FoldFailed(name, event, error);
      }
      changed.add(key);
    }
}
