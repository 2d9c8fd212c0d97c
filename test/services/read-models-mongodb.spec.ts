import type { LedgerId, Position } from '@kcm/kernel';
import type { Checkpoint, DocKey } from '@kcm/read-models';
import { type MongoReadModels, openMongoReadModels } from '@kcm/read-models/mongodb';
import { readModelContract } from '@kcm/testing';
import { MongoDatabase, mongoServersOfSpec } from '../support/mongo.js';

const servers = mongoServersOfSpec();
const LEDGER = 'ledger' as LedgerId;
const at = (number: number) => String(number).padStart(8, '0') as Position;
const point = (number: number): Checkpoint => ({ ledger: LEDGER, position: at(number) });
const key = (text: string) => text as DocKey;

for (const server of servers) {
  readModelContract(server.name, async () => {
    const database = await MongoDatabase.at(server);
    return {
      open: () => openMongoReadModels({ url: database.url }),
      dispose: () => database.drop(),
    };
  });

  describe(`the MongoDB read models: ${server.name}`, () => {
    let database: MongoDatabase;
    let writer: MongoReadModels;
    let reader: MongoReadModels;
    beforeEach(async () => {
      database = await MongoDatabase.at(server);
      writer = await openMongoReadModels({ url: database.url });
      reader = await openMongoReadModels({ url: database.url });
      await writer.activate('things', 1);
    });
    afterEach(async () => {
      await writer.close();
      await reader.close();
      await database.drop();
    });
    const put = (number: number, id: string, doc: object | null, name = 'things', version = 1) =>
      writer.commit(name, version, [{ key: key(id), doc, at: at(number) }], point(number), []);

    it('wakes who waits in another process', async () => {
      await put(1, 'a', {});
      const waiting = reader.waitFor('things', { ledger: LEDGER, position: at(3) }, 60_000);
      // By now it has looked, found too little, and sleeps.
      await new Promise((resolve) => setTimeout(resolve, 300));
      await put(2, 'a', {});
      await put(3, 'a', {});
      expect(await waiting).toEqual(point(3));
    });

    it('tells who watches in another process of documents and of another version, once each', async () => {
      await put(1, 'a', { n: 1 });
      const told: unknown[] = [];
      reader.watch('things', (keys) => told.push(keys));
      await reader.get('things', key('a'));
      const until = async (count: number) => {
        while (told.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
      };
      await put(2, 'a', { n: 2 });
      await until(1);
      // A checkpoint alone is no news, nor is a version that is not shown.
      await writer.commit('things', 1, [], point(3), []);
      await put(3, 'a', { n: 3 }, 'things', 2);
      await reader.waitFor('things', { ledger: LEDGER, position: at(3) }, 60_000);
      await writer.activate('things', 2);
      await until(2);
      expect(told).toEqual([null, null]);
    });

    it('reads on while the collection under it is replaced and dropped', async () => {
      await put(1, 'a', { n: 0 });
      const done = new AbortController();
      const read = async () => {
        for (let reads = 1; ; reads += 1) {
          expect(await reader.get('things', key('a'))).not.toBeNull();
          expect((await reader.list('things', { where: {}, limit: 9 })).items).toHaveLength(1);
          if (done.signal.aborted) return reads;
        }
      };
      const reading = Promise.all(Array.from({ length: 12 }, read));
      for (let n = 1; n <= 15; n += 1) {
        await put(1, 'a', { n }, 'things.rebuild');
        await writer.replace('things', 1, 'things.rebuild');
      }
      done.abort();
      await reading;
    });

    it('drops the collections of what it forgets, and what a killed process left of them', async () => {
      await put(1, 'a', {});
      await put(1, 'a', {}, 'things', 2);
      await database.with((db) => db.createCollection(`model.b.v1.${'0'.repeat(24)}`));
      await database.with((db) => db.createCollection('model.of.somebody'));
      await writer.activate('things', 2);
      const models = async () =>
        (await database.collections()).filter((name) => /^model\.(b|things)/.test(name));
      expect(await models()).toEqual([expect.stringMatching(/^model\.things\.v2\./)]);
      await put(1, 'a', {}, 'things.rebuild', 2);
      await writer.replace('things', 2, 'things.rebuild');
      const kept = [
        /^model\.of\.somebody$/,
        /^model\.things\.rebuild\.v2\.[0-9a-f]{24}$/,
        /^models$/,
      ];
      expect(await database.collections()).toEqual(kept.map((name) => expect.stringMatching(name)));
      expect(await reader.get('things', key('a'))).not.toBeNull();
    });

    it('brings back indexes that a killed process had half changed; lists go on meanwhile', async () => {
      const docs = [{ key: key('a'), doc: { n: 1 }, at: at(1) }];
      const commit = () => writer.commit('things', 1, docs, point(1), [{ fields: ['n'] }]);
      await commit();
      const rows = (await database.collections()).find((name) => name.startsWith('model.'))!;
      await database.with(async (db) => {
        const models = db.collection<{ _id: string }>('models');
        await models.updateOne({ _id: 'things' }, { $set: { 'versions.1.reindexing': true } });
        await db.collection(rows).dropIndex('n');
      });
      expect((await reader.list('things', { where: { n: 1 }, limit: 9 })).items).toHaveLength(1);
      await commit();
      const indexes = await database.with((db) => db.collection(rows).indexes());
      expect(indexes.map(({ name }) => name)).toEqual(['_id_', 'n']);
    });

    it('keeps names of fields and values that mean something to MongoDB as they are', async () => {
      const doc = {
        'a.b': 1,
        $set: { $gt: '' },
        list: [null, 1.5, 2 ** 40, ''],
        _id: 'x',
        empty: {},
      };
      await put(1, 'a', doc);
      expect((await reader.get('things', key('a')))!.doc).toEqual(doc);
    });

    it('has the digest of one checkpoint, and none while a commit is half done', async () => {
      await put(1, 'a', { n: 1 });
      const digest = await reader.digest('things');
      const [rows] = (await database.collections()).filter((name) => name.startsWith('model.'));
      const row = { _id: key('b') as string, at: at(2), doc: { n: 2 } };
      await database.with((db) => db.collection<typeof row>(rows!).insertOne(row));
      await expect(reader.digest('things')).rejects.toMatchObject({ code: 'read_model_behind' });
      await put(2, 'b', { n: 2 });
      expect(await reader.digest('things')).toMatchObject({ position: at(2), documents: 2 });
      expect((await reader.digest('things'))!.digest).not.toBe(digest!.digest);
    });
  });
}
