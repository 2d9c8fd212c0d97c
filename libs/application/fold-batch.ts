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

/**
 * The documents that a batch of events changes, each as it is after the last of them. Reads the
 * stored ones once; what a document has already seen is not folded again.
 * @throws FoldFailed · the store's errors
 */
export async function foldBatch<D>(
  projection: Projection<D>,
  stored: { readonly writer: ReadModelWriter; readonly name: string },
  catalog: EventCatalog,
  events: readonly RecordedEvent[],
): Promise<readonly Stored<D>[]> {
  const { handles, version } = projection;
  const work: { readonly event: RecordedEvent; readonly keys: readonly DocKey[] }[] = [];
  for (const raw of events) {
    const keysOf = (): void => {
      const event = catalog.upcast(raw);
      if (handles.includes(event.type)) work.push({ event, keys: projection.keys(event) });
    };
    guarded(stored.name, raw, keysOf);
  }
  const keys = [...new Set(work.flatMap((each) => each.keys))];
  const before = await stored.writer.load<D>(stored.name, version, keys);
  const after = new Map<DocKey, Stored<D>>();
  for (const { event, keys } of work)
    for (const key of keys) {
      const known = after.get(key) ?? before.get(key);
      if (known !== undefined && known.at >= event.position) continue;
      const doc = guarded(stored.name, event, () =>
        projection.evolve(known?.doc ?? projection.initial(key), event, key),
      );
      after.set(key, { key, doc, at: event.position });
    }
  return [...after.values()];
}

function guarded<T>(name: string, event: RecordedEvent, fold: () => T): T {
  try {
    return fold();
  } catch (error) {
    throw new FoldFailed(name, event, error);
  }
}
