import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { KcmError, type NewEvent, type StreamId, systemRandom, systemScheduler } from '@kcm/kernel';
import type { LogStore } from '@kcm/origin-log';
import { openSqliteLogStore } from '@kcm/origin-log/sqlite';
import { InMemoryLedger, InMemoryLog, sampleEvent } from '@kcm/testing';
import { foldSubtrees, GrowingTree, leafOf, subtreesOf } from '@kcm/transparency';
import type { FeedState } from './feed-loop.js';
import { LogBuilder } from './log-builder.js';

const REGION = 'local';

describe('LogBuilder', () => {
  let folder: string;
  let ledger: InMemoryLedger;
  let errors: unknown[];
  let builders: LogBuilder[];
  let stores: LogStore[];
  let streams = 0;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-log-'));
    ledger = new InMemoryLedger();
    [errors, builders, stores] = [[], [], []];
  });
  afterEach(async () => {
    await Promise.all(builders.map((each) => each.stop()));
    await Promise.all(stores.map((each) => each.close()));
    rmSync(folder, { recursive: true });
  });

  const open = async (name = 'log.db'): Promise<LogStore> => {
    const store = await openSqliteLogStore({ file: join(folder, name) });
    stores.push(store);
    return store;
  };
  const builder = (store: LogStore, of = ledger): LogBuilder => {
    const made = new LogBuilder({
      region: REGION,
      ledger: of,
      store,
      scheduler: systemScheduler,
      random: systemRandom,
      report: (error) => errors.push(error),
    });
    builders.push(made);
    made.start();
    return made;
  };
  const decided = (origin: string): NewEvent => {
    const event = sampleEvent();
    return { ...event, meta: { ...event.meta, origin } };
  };
  /** One event in a stream of its own. */
  const append = (origin = REGION) =>
    ledger.append(`tenant-t${(streams += 1)}` as StreamId, 'noStream', [decided(origin)]);
  const mine = () => ledger.log.events.filter(({ meta }) => meta.origin === REGION);
  const until = async (made: LogBuilder, wanted: FeedState): Promise<void> => {
    while (made.health().state !== wanted) await new Promise((tick) => setImmediate(tick));
  };
  const built = async (made: LogBuilder): Promise<void> => {
    const head = await ledger.head();
    while (made.health().position !== head) await new Promise((tick) => setImmediate(tick));
  };
  /** Everything that the file holds. */
  const contentOf = (name: string) => {
    const db = new DatabaseSync(join(folder, name), { readOnly: true });
    const rows = ['log', 'entries', 'nodes'].map((table) =>
      JSON.stringify(db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all()),
    );
    db.close();
    return rows;
  };
  const rootOf = async (store: LogStore): Promise<string> => {
    const size = (await store.state())!.size;
    return foldSubtrees(await store.hashes(subtreesOf({ from: 0, to: size }))).toString('hex');
  };
  const rootOfLedger = (): string => {
    const tree = new GrowingTree();
    for (const event of mine()) tree.append(leafOf(event));
    return tree.root().toString('hex');
  };

  it('numbers what its region decided without a gap, in ledger order, and nothing else', async () => {
    for (const origin of ['other', REGION, REGION, 'other', REGION, 'other']) await append(origin);
    const store = await open();
    await built(builder(store));
    const found = await Promise.all(mine().map(({ id }) => store.find(id)));
    expect(found.map((entry) => entry?.seq)).toEqual([0, 1, 2]);
    expect(await store.state()).toMatchObject({ size: 3, position: await ledger.head() });
    const foreign = ledger.log.events.filter(({ meta }) => meta.origin !== REGION);
    expect(await Promise.all(foreign.map(({ id }) => store.find(id)))).toEqual([null, null, null]);
    expect(await rootOf(store)).toBe(rootOfLedger());
  });

  it('comes to the same twice: one that followed each event, and one that came later', async () => {
    const live = await open('live.db');
    const follower = builder(live);
    for (let n = 0; n < 300; n += 1) {
      await append(n % 7 === 3 ? 'other' : REGION);
      if (n < 40) await built(follower);
    }
    await built(follower);
    const later = await open('later.db');
    await built(builder(later));
    expect(contentOf('later.db')).toEqual(contentOf('live.db'));
    expect(await rootOf(later)).toBe(rootOfLedger());
  });

  it('comes to the same after it was killed before or after any of its steps', async () => {
    const straight = await open('straight.db');
    const following = builder(straight);
    for (let n = 0; n < 12; n += 1) {
      await append(n % 5 === 1 ? 'other' : REGION);
      await built(following);
    }
    const goal = contentOf('straight.db');
    for (const kept of [false, true]) {
      const name = `killed-${kept}.db`;
      let store = await open(name);
      for (let dies = true; dies;) {
        const mortal: LogStore = {
          state: () => store.state(),
          hashes: (nodes) => store.hashes(nodes),
          find: (event) => store.find(event),
          close: () => store.close(),
          append: async (before, step) => {
            // As little as there can be in one step, so that every size is died at.
            if (kept) await store.append(before, step);
            throw new Error('killed');
          },
        };
        const size = (await store.state())?.size ?? 0;
        const part = ledgerOf(await nextOf(store));
        await until(builder(mortal, part), 'failed');
        expect((await store.state())?.size ?? 0).toBeGreaterThanOrEqual(size);
        await store.close();
        store = await open(name);
        if (!kept) await until(builder(store, part), 'live');
        await Promise.all(builders.splice(0).map((each) => each.stop()));
        dies = (await nextOf(store)) <= ledger.log.events.length;
      }
      expect(contentOf(name)).toEqual(goal);
    }
  });
  /** The same ledger when it had its first events only. */
  const ledgerOf = (first: number): InMemoryLedger => {
    const events = ledger.log.events.slice(0, first);
    return new InMemoryLedger(Object.assign(new InMemoryLog(), { id: ledger.id, events }));
  };
  /** How many events the ledger has for it to take one more. */
  const nextOf = async (store: LogStore): Promise<number> => {
    const at = (await store.state())?.position;
    return ledger.log.events.findIndex(({ position }) => position === at) + 2;
  };

  it('goes on by itself when a step’s outcome was not known, whichever it was', async () => {
    const store = await open();
    let steps = 0;
    const unsure: LogStore = {
      state: () => store.state(),
      hashes: (nodes) => store.hashes(nodes),
      find: (event) => store.find(event),
      close: () => store.close(),
      append: async (before, step) => {
        steps += 1;
        if (steps % 2 === 0) await store.append(before, step);
        if (steps < 5) throw new KcmError('ledger_unavailable', 'who knows');
        await store.append(before, step);
      },
    };
    const made = builder(unsure);
    for (let n = 0; n < 5; n += 1) await append();
    await built(made);
    expect((await store.state())!.size).toBe(5);
    expect(await rootOf(store)).toBe(rootOfLedger());
  });

  it('gives no number twice: of two that build on one log, one is refused', async () => {
    const store = await open();
    const first = builder(store);
    await append();
    await built(first);
    const second = builder(store);
    await until(second, 'live');
    await append();
    while ([first, second].every((each) => each.health().state === 'live'))
      await new Promise((tick) => setImmediate(tick));
    const winner = first.health().state === 'failed' ? second : first;
    for (let n = 0; n < 5; n += 1) await append();
    await built(winner);
    expect(errors).toMatchObject([{ code: 'revision_conflict' }]);
    expect((await store.state())!.size).toBe(7);
    expect(await rootOf(store)).toBe(rootOfLedger());
  });

  it('is not built on over another ledger, nor over one that has lost events', async () => {
    const store = await open();
    await append();
    const made = builder(store);
    await built(made);
    await made.stop();
    await until(builder(store, new InMemoryLedger()), 'failed');
    await until(builder(store, ledgerOf(0)), 'failed');
    expect(errors).toMatchObject([
      { code: 'integrity', message: expect.stringContaining('not of local and') as string },
      { code: 'integrity', message: expect.stringContaining('events are missing') as string },
    ]);
  });
});
