import { canonicalJson, type Json, type RecordedEvent } from '@kcm/kernel';
import type { DocKey, Projection } from '@kcm/read-models';

/**
 * Folds as the runner does, in memory: the documents by key, tombstones left out. `store` is what a
 * document goes through between two events, as it would in a store.
 */
export function foldProjection<Doc, E extends RecordedEvent>(
  projection: Projection<Doc, E>,
  events: readonly RecordedEvent[],
  store: (doc: Doc) => Doc = (doc) => doc,
): Readonly<Record<string, Doc>> {
  const handled = new Set<string>(projection.handles);
  const docs = new Map<DocKey, Doc | null>();
  for (const event of events) {
    if (!handled.has(event.type)) continue;
    for (const key of projection.keys(event as E)) {
      const before = docs.get(key) ?? projection.initial(key);
      const after = projection.evolve(before, event as E, key);
      docs.set(key, after === null ? null : store(after));
    }
  }
  const live = [...docs].filter((entry): entry is [DocKey, Doc] => entry[1] !== null);
  return Object.fromEntries(live.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** As it comes back from a store. @throws where it is not JSON and could not be stored */
export const storedForm = <T>(value: T): T =>
  JSON.parse(canonicalJson(value as unknown as Json)) as T;
