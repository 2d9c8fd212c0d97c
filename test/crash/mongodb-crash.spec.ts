import { randomBytes } from 'node:crypto';
import type { LedgerId, Position } from '@kcm/kernel';
import type { Checkpoint, DocKey, Projection, Stored } from '@kcm/read-models';
import { type MongoReadModels, openMongoReadModels } from '@kcm/read-models/mongodb';
import { openMongoBlobStore } from '@kcm/vault/mongodb';
import { hostOf, MongoDatabase, mongoServersOfSpec, type MongoServer } from '../support/mongo.js';
import { type Cut, MongoLine } from '../support/mongo-line.js';

interface Doc {
  readonly seen: string;
  readonly sum: number;
}
type Indexes = Projection<Doc>['indexes'];
const LEDGER = 'ledger' as LedgerId;
const EVENTS = 12;
const at = (number: number) => String(number).padStart(4, '0') as Position;
const point = (number: number): Checkpoint => ({ ledger: LEDGER, position: at(number) });
const INDEXES: Indexes = [{ fields: ['sum'] }, { fields: ['seen'], unique: true }];
const REINDEXED: Indexes = [{ fields: ['sum', 'seen'] }, { fields: ['seen'] }];
/** Each event changes two of five documents; every fourth one deletes. */
const keysOf = (event: number) => [`k${event % 5}`, `k${(event + 2) % 5}`] as DocKey[];
const evolved = (doc: Doc | null, event: number, key: DocKey): Doc | null =>
  event % 4 === 0 && key === keysOf(event)[0]
    ? null
    : { seen: `${doc?.seen ?? key}.${event}`, sum: (doc?.sum ?? 0) + event };

/** Folds on from the checkpoint to an event, three events a commit. */
async function fold(
  store: MongoReadModels,
  name: string,
  version: number,
  indexes: Indexes,
  to: number,
): Promise<void> {
  const done = await store.checkpoint(name, version);
  for (let from = done === null ? 1 : Number(done.position) + 1; from <= to; from += 3) {
    const events = [from, from + 1, from + 2].filter((event) => event <= to);
    const keys = [...new Set(events.flatMap(keysOf))];
    const docs = new Map(await store.load<Doc>(name, version, keys));
    for (const event of events)
      for (const key of keysOf(event)) {
        const known = docs.get(key);
        if (known !== undefined && known.at >= at(event)) continue;
        docs.set(key, { key, doc: evolved(known?.doc ?? null, event, key), at: at(event) });
      }
    const batch: readonly Stored<Doc>[] = [...docs.values()];
    await store.commit(name, version, batch, point(events.at(-1)!), indexes);
  }
}

/** What a process does over its life, told by nothing but what is stored. */
async function life(store: MongoReadModels): Promise<void> {
  await fold(store, 'things', 2, INDEXES, 9);
  await store.activate('things', 2);
  await fold(store, 'things', 2, REINDEXED, EVENTS);
  await store.commit('things', 2, [], point(EVENTS), REINDEXED);
  await store.reset('things.rebuild', 2);
  await fold(store, 'things.rebuild', 2, REINDEXED, EVENTS);
  await store.activate('things.rebuild', 2);
  await store.replace('things', 2, 'things.rebuild');
}

/** Documents of a version are at their state of its checkpoint, or of a later event. */
async function expectNotBehind(store: MongoReadModels, version: number): Promise<void> {
  const checkpoint = await store.checkpoint('things', version);
  const keys = [0, 1, 2, 3, 4].map((number) => `k${number}` as DocKey);
  const stored = await store.load<Doc>('things', version, keys);
  for (const key of keys) {
    const upTo = Number(checkpoint?.position ?? 0);
    const events = Array.from({ length: upTo }, (_, number) => number + 1);
    const last = events.filter((event) => keysOf(event).includes(key)).at(-1) ?? 0;
    expect(Number(stored.get(key)?.at ?? 0)).toBeGreaterThanOrEqual(last);
  }
}

const servers = mongoServersOfSpec();
const through = (line: MongoLine, url: string) => url.replace(hostOf(url), line.address);

/** Runs `work` on a line that is cut at each write in turn; `after` each, with what is left. */
async function atEveryWrite(
  server: MongoServer,
  when: Cut['when'],
  work: (url: string) => Promise<void>,
  after: (database: MongoDatabase) => Promise<void>,
): Promise<number> {
  for (let write = 1; ; write += 1) {
    const database = await MongoDatabase.at(server);
    const line = await MongoLine.open(hostOf(database.url), { at: write, when });
    const outcome = await work(through(line, database.url)).then(
      () => null,
      (error: unknown) => error,
    );
    const whole = !line.ended;
    line.end();
    if (!whole) expect(outcome).toMatchObject({ code: 'ledger_unavailable' });
    else expect(outcome).toBeNull();
    await after(database);
    await database.drop();
    if (whole) return write - 1;
  }
}

describe.each(servers)('killed at every write: $name', (server) => {
  const reachMsMax = 200;

  it.each(['before', 'after'] as const)(
    'read models: %s each write, the next process repeats only what changes nothing',
    async (when) => {
      let same: string | null = null;
      const writes = await atEveryWrite(
        server,
        when,
        async (url) => {
          const store = await openMongoReadModels({ url, reachMsMax });
          try {
            await life(store);
          } finally {
            await store.close();
          }
        },
        async (database) => {
          const next = await openMongoReadModels({ url: database.url });
          await next.activate('old', 1);
          for (const version of [1, 2]) await expectNotBehind(next, version);
          await life(next);
          const digest = await next.digest('things');
          expect(digest).toMatchObject({ version: 2, position: at(EVENTS), documents: 4 });
          expect(digest!.digest).toBe((same ??= digest!.digest));
          // What was forgotten in between is gone, and nothing else.
          const collections = await database.collections();
          expect(collections.filter((name) => name.startsWith('model.'))).toHaveLength(1);
          await next.close();
        },
      );
      expect(writes).toBeGreaterThan(25);
    },
    120_000,
  );

  it('read models: in the middle of one bulk of documents, too', async () => {
    const database = await MongoDatabase.at(server);
    const store = await openMongoReadModels({ url: database.url });
    await store.activate('whole', 1);
    await fold(store, 'whole', 1, [], EVENTS);
    const whole = await store.digest('whole');
    const keys = [0, 1, 2, 3, 4].map((number) => `k${number}` as DocKey);
    const final = [...(await store.load<Doc>('whole', 1, keys)).values()];
    for (let stored = 0; stored <= final.length; stored += 1) {
      const name = `half${stored}`;
      await store.activate(name, 1);
      await fold(store, name, 1, [], 6);
      // So many of the bulk got there, the checkpoint did not.
      await store.commit(name, 1, final.slice(0, stored), point(6), []);
      await fold(store, name, 1, [], EVENTS);
      expect(await store.digest(name)).toEqual(whole);
    }
    await store.close();
    await database.drop();
  });

  it.each(['before', 'after'] as const)(
    'the vault: %s each write, the next process does it again and erases all',
    async (when) => {
      const kept = randomBytes(40);
      const shredded = randomBytes(40);
      const run = async (url: string) => {
        const store = await openMongoBlobStore({ url, role: 'vault', reachMsMax });
        try {
          await store.put('l2/acme', shredded);
          await store.putIfAbsent('l2/acme/k', shredded);
          await store.put('l2/other', shredded);
          await store.put('l2/other', kept);
          await store.erase('l2/acme');
        } finally {
          await store.close();
        }
      };
      const writes = await atEveryWrite(server, when, run, async (database) => {
        await run(database.url);
        expect(database.dump().includes(shredded)).toBe(false);
        expect(database.dump().includes(kept)).toBe(true);
      });
      expect(writes).toBe(5);
    },
    60_000,
  );
});
