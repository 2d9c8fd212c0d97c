import type { Position, RecordedEvent, StreamId } from '@kcm/kernel';
import type { DocKey, Projection, ReadModelWriter, Stored } from '@kcm/read-models';
import * as fc from 'fast-check';
import { FoldFailed } from './fold-batch.js';
import { Refold } from './refold.js';

type Seen = { readonly seen: readonly string[] };
const projection: Projection<Seen> = {
  name: 'seen',
  version: 1,
  handles: ['Counted'],
  keys: (event) => event.data['keys'] as unknown as DocKey[],
  initial: () => ({ seen: [] }),
  evolve: (doc, event) => {
    if (event.data['ends'] === true) return null;
    return { seen: [...doc.seen, event.position] };
  },
  indexes: [],
};
const catalog = { upcast: (stored: RecordedEvent) => stored };
const positionOf = (at: number): Position => String(at).padStart(4, '0') as Position;
const eventAt = (at: number, keys: readonly string[], ends = false): RecordedEvent =>
  ({
    type: 'Counted',
    position: positionOf(at),
    stream: 's' as StreamId,
    data: { keys, ends },
  }) as never;

/** A store of documents, and how often each was written. */
class Store {
  readonly docs = new Map<DocKey, Stored<Seen>>();
  readonly writes: DocKey[] = [];
  readonly writer = {
    load: async (_name: string, _version: number, keys: readonly DocKey[]) =>
      new Map([...this.docs].filter(([key]) => keys.includes(key))),
  } as unknown as ReadModelWriter;
  readonly commit = async (docs: readonly Stored<Seen>[], position: Position): Promise<void> => {
    for (const doc of docs) {
      if (doc.at > position) throw new Error(`${doc.at} is behind ${position}`);
      this.docs.set(doc.key, doc);
      this.writes.push(doc.key);
    }
  };

  fold(docsMax: number, empty = true): Refold<Seen> {
    const { writer, commit } = this;
    return new Refold(projection, { writer, name: 'seen', catalog, commit, empty, docsMax });
  }
}

const keys = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 2 });
const history = fc.array(fc.tuple(keys, fc.boolean()), { maxLength: 40 });

describe('A rebuild in memory', () => {
  it('comes to the documents of a fold event by event, however few it may hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.nat(6),
        fc.integer({ min: 1, max: 7 }),
        async (all, docsMax, size) => {
          const events = all.map(([of, ends], at) => eventAt(at, [...new Set(of)], ends));
          const alone = new Store();
          for (const event of events) {
            const fold = alone.fold(0, false);
            await fold.add([event]);
            await fold.write(event.position);
          }
          const whole = new Store();
          const fold = whole.fold(docsMax);
          for (let at = 0; at < events.length; at += size)
            await fold.add(events.slice(at, at + size));
          await fold.write(positionOf(9_999));
          expect(Object.fromEntries(whole.docs)).toEqual(Object.fromEntries(alone.docs));
        },
      ),
    );
  });

  it('writes each document once where they fit', async () => {
    const store = new Store();
    const fold = store.fold(10);
    for (let at = 0; at < 50; at += 1) await fold.add([eventAt(at, [at % 2 === 0 ? 'a' : 'b'])]);
    await fold.write(positionOf(50));
    await fold.write(positionOf(50));
    expect(store.writes).toEqual(['a', 'b']);
    expect(store.docs.get('a' as DocKey)?.doc?.seen).toHaveLength(25);
  });

  it('stops at the event that it cannot fold, and names it', async () => {
    const broken = {
      ...projection,
      evolve: () => {
        throw new Error('odd');
      },
    };
    const { writer, commit } = new Store();
    const fold = new Refold(broken, { writer, name: 'seen', catalog, commit, empty: true });
    await expect(fold.add([eventAt(7, ['a'])])).rejects.toThrow(FoldFailed);
    await expect(fold.add([eventAt(7, ['a'])])).rejects.toThrow('seen stopped at 0007');
  });
});
