import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemRandom } from '@kcm/kernel';
import { blobStoreContract } from '@kcm/testing';
import { openMongoBlobStore } from '@kcm/vault/mongodb';
import { openReplicated } from '@kcm/vault/replicated';
import { openSqliteBlobStore } from '@kcm/vault/sqlite';
import { hostOf, MongoDatabase, mongoServersOfSpec } from '../support/mongo.js';
import { MongoLine } from '../support/mongo-line.js';
import { removeFolder, scratchFolder } from '../support/server.js';

const servers = mongoServersOfSpec();

for (const server of servers) {
  // `files` is what the server gives out: what it keeps on its disk is not seen from here.
  blobStoreContract(server.name, async () => {
    const database = await MongoDatabase.at(server);
    return {
      open: () => openMongoBlobStore({ url: database.url, role: 'vault' }),
      dispose: () => database.drop(),
      files: () => [database.dump()],
    };
  });

  // An erasure store may have one of its copies in a file, and one at a server.
  blobStoreContract(`a copy in a file and one at ${server.name}`, async () => {
    const database = await MongoDatabase.at(server);
    const folder = scratchFolder('copies');
    const file = join(folder, 'erasure.db');
    const role = 'erasure' as const;
    return {
      open: () =>
        openReplicated(
          [
            { name: file, open: () => openSqliteBlobStore({ file, role }) },
            { name: server.name, open: () => openMongoBlobStore({ url: database.url, role }) },
          ],
          systemRandom,
        ),
      dispose: async () => {
        await database.drop();
        removeFolder(folder);
      },
      files: () => [
        database.dump(),
        ...['', '-wal']
          .map((end) => file + end)
          .flatMap((each) => (existsSync(each) ? [readFileSync(each)] : [])),
      ],
    };
  });

  describe(`the MongoDB blob store: ${server.name}`, () => {
    it('keeps its roles apart in one database: no role reads what another one keeps', async () => {
      const database = await MongoDatabase.at(server);
      const roles = ['vault', 'erasure', 'directory'] as const;
      const stores = await Promise.all(
        roles.map((role) => openMongoBlobStore({ url: database.url, role })),
      );
      await stores[0]!.put('a', Buffer.from('one'));
      expect(await Promise.all(stores.map((store) => store.list('')))).toEqual([['a'], [], []]);
      for (const store of stores) await store.close();
      await database.drop();
    });

    it('lets processes that put one key at once all have done it, one of them last', async () => {
      const database = await MongoDatabase.at(server);
      const open = () => openMongoBlobStore({ url: database.url, role: 'vault' });
      const stores = await Promise.all(Array.from({ length: 8 }, open));
      for (let round = 0; round < 10; round += 1) {
        const key = `k${round}`;
        await Promise.all(stores.map((store, n) => store.put(key, Buffer.from(`value ${n}`))));
        expect(String(await stores[0]!.get(key))).toMatch(/^value \d$/);
      }
      for (const store of stores) await store.close();
      await database.drop();
    });

    it('puts again where another process was first with the same new key', async () => {
      const database = await MongoDatabase.at(server);
      let lost = 0;
      // A server answers so of one of two upserts that meet; seldom, so here it is a double's word.
      const lose = { ok: 1, n: 0, writeErrors: [{ index: 0, code: 11_000, errmsg: 'E11000' }] };
      const line = await MongoLine.open(hostOf(database.url), null, (command) =>
        command === 'update' && (lost += 1) <= 2 ? lose : null,
      );
      const url = database.url.replace(hostOf(database.url), line.address);
      const store = await openMongoBlobStore({ url, role: 'vault' });
      await store.put('k', Buffer.from('one'));
      expect(lost).toBe(3);
      expect(String(await store.get('k'))).toBe('one');
      await store.close();
      line.end();
      await database.drop();
    });
  });
}
