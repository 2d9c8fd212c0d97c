import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordedEvent } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { acmeStory } from './acme-story.js';
import { foldProjection, storedForm } from './fold-projection.js';

/** Freezes an event as deep as it goes, so that a fold that changes its input is seen. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

/** What every projection owes: it is pure, its documents are JSON, and it makes the golden ones. */
export function projectionContract<Doc, E extends RecordedEvent>(
  projection: Projection<Doc, E>,
): void {
  const { name, version } = projection;
  const { events } = acmeStory();
  events.forEach(frozen);

  it('makes the documents of its golden file', () => {
    const file = join(process.cwd(), 'projections', name, `golden.v${version}.json`);
    const golden: unknown = JSON.parse(readFileSync(file, 'utf8'));
    expect(storedForm(foldProjection(projection, events))).toEqual(golden);
  });

  it('makes the same documents when each is stored, frozen and loaded between two events', () => {
    const inMemory = storedForm(foldProjection(projection, events));
    const stored = foldProjection(projection, events, (doc) => frozen(storedForm(doc)));
    expect(stored).toEqual(inMemory);
  });

  it('indexes fields that its documents have', () => {
    const docs = Object.values(foldProjection(projection, events)) as Record<string, unknown>[];
    for (const { fields } of projection.indexes)
      for (const field of fields) expect(docs.every((doc) => doc[field] !== undefined)).toBe(true);
  });

  it('makes keys whose parts hold no slash and are never empty', () => {
    const handled = new Set<string>(projection.handles);
    const keys = events
      .filter(({ type }) => handled.has(type))
      .flatMap((event) => projection.keys(event as unknown as E));
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter((key) => !/^[^/]+(\/[^/]+)*$/.test(key))).toEqual([]);
  });
}
