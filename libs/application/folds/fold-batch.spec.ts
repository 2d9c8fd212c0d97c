import type { Position, RecordedEvent, StreamId } from '@kcm/kernel';
import type { DocKey, Projection, ReadModelWriter, Stored } from '@kcm/read-models';
import { foldBatch } from './fold-batch.js';

type Counted = { readonly seen: readonly string[] };
const projection: Projection<Counted> = {
  name: 'seen',
  version: 1,
  handles: ['Counted'],
  keys: (event) => event.data['keys'] as unknown as DocKey[],
  initial: () => ({ seen: [] }),
  evolve: (doc, event) => ({ seen: [...doc.seen, event.position] }),
  indexes: [],
};
const event = (position: string, keys: readonly string[], type = 'Counted') =>
  ({ type, position: position as Position, stream: 's' as StreamId, data: { keys } }) as never;
const catalog = { upcast: (stored: RecordedEvent) => stored };

describe('A batch of events', () => {
  const fold = (stored: readonly Stored<Counted>[], events: readonly RecordedEvent[]) => {
    const load = async () => new Map(stored.map((doc) => [doc.key, doc]));
    const writer = { load } as unknown as ReadModelWriter;
    return foldBatch(projection, { writer, name: 'seen' }, catalog, events);
  };

  it('is folded into each document once, in order, and other events are passed by', async () => {
    const events = [event('1', ['a']), event('2', ['a', 'b']), event('3', ['c'], 'Other')];
    expect(await fold([], events)).toEqual([
      { key: 'a', doc: { seen: ['1', '2'] }, at: '2' },
      { key: 'b', doc: { seen: ['2'] }, at: '2' },
    ]);
  });

  it('that a document has seen already changes it no second time', async () => {
    const a = { key: 'a' as DocKey, doc: { seen: ['1', '2'] }, at: '2' as Position };
    const events = [event('1', ['a']), event('2', ['a', 'b']), event('3', ['a'])];
    expect(await fold([a], events)).toEqual([
      { key: 'b', doc: { seen: ['2'] }, at: '2' },
      { key: 'a', doc: { seen: ['1', '2', '3'] }, at: '3' },
    ]);
    expect(await fold([a], [event('1', ['a'])])).toEqual([]);
  });
});
