import { canonicalJson, type Json, type LedgerId, type Position } from '@kcm/kernel';
import {
  type Checkpoint,
  CheckpointOfAnotherLedger,
  type DocKey,
  type ListQuery,
  type Projection,
  ReadModelBehind,
  type ReadModelReader,
  type ReadModelWatcher,
  type ReadModelWriter,
  TokenOfAnotherLedger,
} from '@kcm/read-models';
import * as fc from 'fast-check';
import { createHash } from 'node:crypto';

export type ReadModelsUnderTest = ReadModelWriter &
  ReadModelReader &
  ReadModelWatcher & { close(): Promise<void> };
/** One store that outlives its connections. */
export interface ReadModelsFixture {
  open(): Promise<ReadModelsUnderTest>;
  dispose(): Promise<void>;
}

interface Doc {
  readonly tenant: string;
  readonly at: string;
  readonly open: boolean;
  readonly size: number;
  readonly note?: string | null;
}
const LEDGER = 'ledger-a' as LedgerId;
const INDEXES: Projection<Doc>['indexes'] = [
  { fields: ['tenant'] },
  { fields: ['tenant', 'at'] },
  { fields: ['open'] },
  { fields: ['size'] },
];
const key = (text: string): DocKey => text as DocKey;
const at = (number: number): Position => String(number).padStart(8, '0') as Position;
const point = (number: number, ledger = LEDGER): Checkpoint => ({ ledger, position: at(number) });
const doc = (more: Partial<Doc> = {}): Doc => ({
  tenant: 'acme',
  at: '2026-01-01',
  open: true,
  size: 1,
  ...more,
});
const hashOf = (docs: readonly (readonly [string, Json])[]): string => {
  const hash = createHash('sha256');
  for (const row of docs) hash.update(`${canonicalJson(row)}\n`);
  return hash.digest('hex');
};

/** What every adapter of the read model ports must do, whatever its engine. */
export function readModelContract(name: string, make: () => Promise<ReadModelsFixture>): void {
  describe(`the read model contract: ${name}`, () => {
    let fixture: ReadModelsFixture;
    let store: ReadModelsUnderTest;
    const commit = (
      number: number,
      docs: readonly (readonly [string, Doc | null, number?])[],
      version = 1,
    ): Promise<void> =>
      store.commit<Doc>(
        'things',
        version,
        docs.map(([id, value, own = number]) => ({ key: key(id), doc: value, at: at(own) })),
        point(number),
        INDEXES,
      );
    const list = (query: Partial<ListQuery> = {}) =>
      store.list<Doc>('things', { where: {}, limit: 100, ...query });
    const keysOf = async (query: Partial<ListQuery> = {}) =>
      (await list(query)).items.map((item) => item.key);

    beforeEach(async () => {
      fixture = await make();
      store = await fixture.open();
      await store.activate('things', 1);
    });
    afterEach(async () => {
      await store.close();
      await fixture.dispose();
    });

    it('keeps documents and checkpoint over a reopen', async () => {
      await commit(3, [['a', doc()]]);
      await store.close();
      store = await fixture.open();
      expect(await store.checkpoint('things', 1)).toEqual(point(3));
      expect(await store.get('things', key('a'))).toEqual({ doc: doc(), asOf: point(3) });
      expect(await store.get('things', key('b'))).toBeNull();
    });

    it('writes a document only over an older one, and moves the checkpoint only forward', async () => {
      await commit(5, [['a', doc({ size: 5 })]]);
      await commit(5, [['a', doc({ size: 55 })]]);
      await commit(4, [
        ['a', doc({ size: 4 }), 4],
        ['b', doc({ size: 4 }), 4],
      ]);
      const stored = await store.load<Doc>('things', 1, [key('a'), key('b'), key('c')]);
      expect([...stored.values()]).toEqual([
        { key: 'a', doc: doc({ size: 5 }), at: at(5) },
        { key: 'b', doc: doc({ size: 4 }), at: at(4) },
      ]);
      expect(await store.checkpoint('things', 1)).toEqual(point(5));
      await commit(6, [['a', doc({ size: 6 })]]);
      expect((await store.get<Doc>('things', key('a')))!.doc.size).toBe(6);
    });

    it('keeps a tombstone: a deleted document is not brought back by an older write', async () => {
      await commit(1, [['a', doc()]]);
      await commit(7, [['a', null]]);
      await commit(6, [['a', doc(), 6]]);
      expect(await store.get('things', key('a'))).toBeNull();
      expect(await keysOf()).toEqual([]);
      const stored = await store.load('things', 1, [key('a')]);
      expect(stored.get(key('a'))).toEqual({ key: 'a', doc: null, at: at(7) });
    });

    it('commits all of a batch or nothing of it', async () => {
      const unique: Projection<Doc>['indexes'] = [{ fields: ['tenant'], unique: true }];
      const docs = ['a', 'b'].map((id) => ({ key: key(id), doc: doc(), at: at(1) }));
      await expect(store.commit('things', 1, docs, point(1), unique)).rejects.toThrow();
      expect(await store.checkpoint('things', 1)).toBeNull();
      expect(await keysOf()).toEqual([]);
      await store.commit('things', 1, docs.slice(1), point(1), unique);
      expect(await keysOf({ where: { tenant: 'acme' } })).toEqual(['b']);
    });

    it('refuses a checkpoint of another ledger by name and stores nothing', async () => {
      await commit(1, [['a', doc()]]);
      const other = point(2, 'ledger-b' as LedgerId);
      const docs = [{ key: key('b'), doc: doc(), at: at(2) }];
      const refused = store.commit('things', 1, docs, other, INDEXES);
      await expect(refused).rejects.toThrow(CheckpointOfAnotherLedger);
      await expect(refused).rejects.toThrow(/things.*ledger-a.*ledger-b/);
      expect(await keysOf()).toEqual(['a']);
    });

    it('takes new indexes of the same version over existing documents', async () => {
      await commit(1, [['a', doc({ note: 'x' })]]);
      await expect(list({ where: { note: 'x' } })).rejects.toThrow(RangeError);
      await store.commit('things', 1, [], point(1), [{ fields: ['note'] }]);
      expect(await keysOf({ where: { note: 'x' } })).toEqual(['a']);
      await expect(list({ where: { tenant: 'acme' } })).rejects.toThrow(RangeError);
    });

    describe('versions', () => {
      it('serves the old version until the new one is activated, then drops the old', async () => {
        await commit(1, [['a', doc({ size: 1 })]]);
        await commit(1, [['a', doc({ size: 2 })]], 2);
        expect((await store.get<Doc>('things', key('a')))!.doc.size).toBe(1);
        await store.activate('things', 2);
        expect((await store.get<Doc>('things', key('a')))!.doc.size).toBe(2);
        expect(await store.checkpoint('things', 1)).toBeNull();
        expect(await store.load('things', 1, [key('a')])).toEqual(new Map());
      });

      it('forgets documents and checkpoint of the version that is reset', async () => {
        await commit(1, [['a', doc()]]);
        await commit(9, [['a', doc()]], 2);
        await store.reset('things', 1);
        await store.reset('things', 3);
        expect(await store.checkpoint('things', 1)).toBeNull();
        expect(await keysOf()).toEqual([]);
        expect(await store.checkpoint('things', 2)).toEqual(point(9));
        await commit(1, [['b', doc()]]);
        expect(await keysOf()).toEqual(['b']);
      });

      it('puts what was built beside in the place of a version, again and again', async () => {
        await commit(1, [['a', doc({ size: 0 })]]);
        for (const size of [1, 2, 3]) {
          const docs = [{ key: key('a'), doc: doc({ size }), at: at(1) }];
          await store.reset('things.rebuild', 1);
          await store.commit('things.rebuild', 1, docs, point(1), INDEXES);
          expect((await store.get<Doc>('things', key('a')))!.doc.size).toBe(size - 1);
          await store.replace('things', 1, 'things.rebuild');
          expect((await store.get<Doc>('things', key('a')))!.doc.size).toBe(size);
          expect(await store.checkpoint('things.rebuild', 1)).toBeNull();
        }
        await expect(store.replace('things', 1, 'nothing')).rejects.toThrow();
        expect(await keysOf({ where: { size: 3 } })).toEqual(['a']);
      });

      it('says of a read model that no version serves yet that it is behind', async () => {
        const never = [store.get('never', key('a')), store.list('never', { where: {}, limit: 1 })];
        for (const read of never) await expect(read).rejects.toThrow(ReadModelBehind);
        expect(await store.digest('never')).toBeNull();
      });
    });

    describe('list', () => {
      const many: readonly (readonly [string, Doc])[] = [
        ['a', doc({ at: '3', open: false, size: 1 })],
        ['B', doc({ at: '1', size: 2 })],
        ['c/1', doc({ at: '2', size: 1, tenant: 'other' })],
        ['c', doc({ at: '2', size: 1 })],
        ['é', doc({ at: '2', size: 10, note: null })],
      ];
      beforeEach(() => commit(1, many));

      it('orders by key, bytewise, either way', async () => {
        expect(await keysOf()).toEqual(['B', 'a', 'c', 'c/1', 'é']);
        expect(await keysOf({ order: 'desc' })).toEqual(['é', 'c/1', 'c', 'a', 'B']);
      });
      it('filters by text, number and truth of indexed fields', async () => {
        expect(await keysOf({ where: { tenant: 'other' } })).toEqual(['c/1']);
        expect(await keysOf({ where: { open: false } })).toEqual(['a']);
        expect(await keysOf({ where: { open: true, size: 1 } })).toEqual(['c', 'c/1']);
        expect(await keysOf({ where: { size: 10 } })).toEqual(['é']);
        expect(await keysOf({ where: { size: '10' } })).toEqual([]);
      });
      it('bounds and orders by the field of a range, the upper bound left out', async () => {
        expect(await keysOf({ range: { field: 'at' } })).toEqual(['B', 'c', 'c/1', 'é', 'a']);
        expect(await keysOf({ range: { field: 'at', from: '2', to: '3' }, order: 'desc' })).toEqual(
          ['é', 'c/1', 'c'],
        );
        const own = { where: { tenant: 'acme' }, range: { field: 'at', to: '3' } };
        expect(await keysOf(own)).toEqual(['B', 'c', 'é']);
      });
      it.each(["tenant'", 'nothing', 'note', '$.tenant', ''])(
        'refuses the field %j that is in no index',
        async (field) => {
          await expect(list({ where: { [field]: 1 } })).rejects.toThrow(RangeError);
          await expect(list({ range: { field } })).rejects.toThrow(RangeError);
        },
      );
      it.each([0, -1, 1.5, Number.NaN, 100_000])('refuses a page of %p', async (limit) => {
        await expect(list({ limit })).rejects.toThrow(RangeError);
      });

      it('gives every document of a list exactly once over its pages', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.record({
              limit: fc.integer({ min: 1, max: 6 }),
              order: fc.constantFrom('asc' as const, 'desc' as const),
              where: fc.constantFrom({}, { open: true }, { tenant: 'acme' }),
              range: fc.constantFrom(undefined, { field: 'at' }, { field: 'at', from: '2' }),
            }),
            async ({ range, ...rest }) => {
              const query = { ...rest, ...(range ? { range } : {}) };
              const whole = await keysOf({ ...query, limit: 100 });
              const seen: DocKey[] = [];
              let next: string | null = null;
              do {
                const page = await list({ ...query, ...(next === null ? {} : { cursor: next }) });
                seen.push(...page.items.map((item) => item.key));
                next = page.next;
              } while (next !== null);
              expect(seen).toEqual(whole);
            },
          ),
          { numRuns: 40 },
        );
      });

      it('refuses a cursor that is not of this list', async () => {
        const { next } = await list({ limit: 1 });
        await list({ limit: 3, cursor: next! });
        const wrong: Partial<ListQuery>[] = [
          { cursor: '' },
          { cursor: 'nonsense' },
          { cursor: Buffer.from('[1,2]').toString('base64url') },
          { cursor: next!.slice(1) },
          { cursor: next!, order: 'desc' },
          { cursor: next!, where: { tenant: 'acme' } },
          { cursor: next!, range: { field: 'at' } },
        ];
        for (const query of wrong)
          await expect(list(query)).rejects.toMatchObject({
            code: 'invalid_request',
            errors: [{ path: 'cursor' }],
          });
      });
    });

    describe('waitFor', () => {
      const token = (number: number, ledger = LEDGER) => ({ ledger, position: at(number) });

      it('answers at once when the read model is there', async () => {
        await commit(5, []);
        expect(await store.waitFor('things', token(5), 0)).toEqual(point(5));
        expect(await store.waitFor('things', token(4), 0)).toEqual(point(5));
      });
      it('wakes up with the commit that gets there, not with one before it', async () => {
        await commit(1, []);
        let woken: Checkpoint | null = null;
        const waiting = store.waitFor('things', token(3), 60_000).then((checkpoint) => {
          woken = checkpoint;
          return checkpoint;
        });
        await commit(2, []);
        await new Promise((resolve) => setImmediate(resolve));
        expect(woken).toBeNull();
        await commit(4, []);
        expect(await waiting).toEqual(point(4));
      });
      it('wakes up when a version that has got there is activated', async () => {
        await commit(9, [], 2);
        const waiting = store.waitFor('things', token(9), 60_000);
        await store.activate('things', 2);
        expect(await waiting).toEqual(point(9));
      });
      it('says how far it is when the time is over', async () => {
        await expect(store.waitFor('things', token(1), 5)).rejects.toMatchObject({
          code: 'read_model_behind',
          asOf: null,
        });
        await commit(1, []);
        await expect(store.waitFor('things', token(2), 5)).rejects.toMatchObject({
          asOf: point(1),
        });
        await expect(store.waitFor('never', token(2), 5)).rejects.toThrow(ReadModelBehind);
      });
      it('refuses the token of another ledger, also while it waits', async () => {
        const foreign = token(1, 'ledger-b' as LedgerId);
        const waiting = store.waitFor('things', foreign, 60_000);
        await Promise.all([expect(waiting).rejects.toThrow(TokenOfAnotherLedger), commit(1, [])]);
        await expect(store.waitFor('things', foreign, 0)).rejects.toThrow(TokenOfAnotherLedger);
      });
    });

    describe('digest', () => {
      it('is SHA-256 over the canonical form of live documents in key order', async () => {
        await commit(3, [
          ['b', doc({ note: 'ü' })],
          ['a', doc()],
          ['gone', doc(), 2],
        ]);
        await commit(4, [['gone', null]]);
        expect(await store.digest('things')).toEqual({
          version: 1,
          position: at(4),
          documents: 2,
          digest: hashOf([
            ['a', { ...doc() }],
            ['b', { ...doc({ note: 'ü' }) }],
          ]),
        });
      });
      it('does not depend on how the documents came to be', async () => {
        const docs = Array.from({ length: 1_200 }, (_, n) => [`k${n}`, doc({ size: n })] as const);
        await commit(9, docs);
        for (const [id, value] of docs.toReversed().slice(0, 50))
          await commit(9, [[id, value, 9]], 2);
        await commit(9, docs, 2);
        const one = await store.digest('things');
        await store.activate('things', 2);
        expect(await store.digest('things')).toEqual({ ...one, version: 2 });
        await commit(10, [['k1', doc({ size: 2 })]], 2);
        expect((await store.digest('things'))!.digest).not.toBe(one!.digest);
      });
      it('of a read model without documents is that of nothing', async () => {
        expect(await store.digest('things')).toEqual({
          version: 1,
          position: null,
          documents: 0,
          digest: hashOf([]),
        });
      });
    });

    describe('watch', () => {
      it('tells of each change with the keys that were written, of this name, until it is ended', async () => {
        const told: unknown[] = [];
        const end = store.watch('things', (keys) => told.push(keys));
        await commit(1, [
          ['a', doc()],
          ['b', doc()],
        ]);
        await commit(2, []);
        await store.commit('others', 1, [{ key: key('a'), doc: doc(), at: at(1) }], point(1), []);
        await commit(3, [['a', null]]);
        expect(told).toEqual([['a', 'b'], ['a']]);
        end();
        await commit(4, [['a', doc()]]);
        expect(told).toHaveLength(2);
      });
      it('what was told of can be read, and another collection may hold anything', async () => {
        const seen: unknown[] = [];
        const reading: Promise<unknown>[] = [];
        store.watch('things', (keys) => {
          seen.push(keys);
          reading.push(store.get<Doc>('things', key('a')));
        });
        await commit(1, [['a', doc({ size: 7 })]]);
        await commit(1, [['a', doc({ size: 8 })]], 2);
        await store.activate('things', 2);
        expect(seen).toEqual([['a'], ['a'], null]);
        const [first, , last] = await Promise.all(reading);
        expect([first, last]).toMatchObject([{ doc: { size: 7 } }, { doc: { size: 8 } }]);
      });
    });

    it('refuses a name that cannot name a collection', async () => {
      for (const name of ['', 'A', "a'", 'a"b', 'a b', '../a', 'x'.repeat(100)])
        await expect(store.commit(name, 1, [], point(1), [])).rejects.toThrow(RangeError);
    });
  });
}
