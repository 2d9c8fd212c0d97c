import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { eventCatalog } from '@kcm/domain';
import {
  type EventData,
  KcmError,
  type OneOrMore,
  parseStream,
  type Position,
  type RecordedEvent,
  streamOf,
  systemRandom,
  systemScheduler,
  type Tracer,
} from '@kcm/kernel';
import type { DocKey, Projection, ReadModelWriter } from '@kcm/read-models';
import { openSqliteReadModels, type SqliteReadModels } from '@kcm/read-models/sqlite';
import { InMemoryLedger, sampleEvent } from '@kcm/testing';
import type { FeedState } from './feed-loop.js';
import { ProjectionRunner } from './projection-runner.js';
import type { ProjectionDeps } from './running-projection.js';

interface Services {
  readonly tenant: string;
  readonly mapped: readonly string[];
  /** How many events were folded: shows one that was folded twice. */
  readonly folded: number;
}
const services = (more: Partial<Projection<Services>> = {}): Projection<Services> => ({
  name: 'services',
  version: 1,
  handles: ['ServiceMapped', 'ServiceUnmapped'],
  keys: (event) => [parseStream(event.stream).owner as DocKey],
  initial: (tenant) => ({ tenant, mapped: [], folded: 0 }),
  evolve(doc, event) {
    const { service } = event.data as { service: string };
    const others = doc.mapped.filter((each) => each !== service);
    if (event.type === 'ServiceUnmapped' && others.length === 0) return null;
    const mapped = event.type === 'ServiceMapped' ? [...others, service] : others;
    return { ...doc, mapped, folded: doc.folded + 1 };
  },
  indexes: [{ fields: ['tenant'] }],
  ...more,
});
const acme = 'acme' as DocKey;

describe('ProjectionRunner', () => {
  let folder: string;
  let ledger: InMemoryLedger;
  let store: SqliteReadModels;
  let runners: ProjectionRunner[];
  let reports: { name: string; error: unknown; state: FeedState }[];
  const revisions = new Map<string, number>();

  const open = () => openSqliteReadModels({ file: join(folder, 'read-models.db') });
  const runner = (
    projections: readonly Projection<unknown>[] = [services()],
    deps: Partial<ProjectionDeps> = {},
  ): ProjectionRunner => {
    const made = new ProjectionRunner(
      {
        ledger,
        catalog: eventCatalog,
        writer: store,
        reader: store,
        scheduler: systemScheduler,
        random: systemRandom,
        report: (name, error, state) => reports.push({ name, error, state }),
        ...deps,
      },
      projections,
    );
    runners.push(made);
    return made;
  };
  const append = async (
    tenant: string,
    ...events: readonly (readonly [type: string, data: EventData])[]
  ): Promise<Position> => {
    const last = revisions.get(tenant);
    const made = events.map(([type, data]) => ({ ...sampleEvent(data), type }));
    const appended = await ledger.append(
      streamOf('tenant', tenant),
      last ?? 'noStream',
      made as unknown as OneOrMore<RecordedEvent>,
    );
    revisions.set(tenant, appended.revision);
    return appended.position;
  };
  const map = (tenant: string, ...names: readonly string[]) =>
    append(tenant, ...names.map((service) => ['ServiceMapped', { service }] as const));
  const until = (position: Position, name = 'services') =>
    store.waitFor(name, { ledger: ledger.id, position }, 4_000);
  const doc = async () => (await store.get<Services>('services', acme))?.doc ?? null;
  /** The store with one of its methods in other hands. */
  const writerWith = (other: Partial<ReadModelWriter>): ReadModelWriter => ({
    checkpoint: (...args) => store.checkpoint(...args),
    load: (...args) => store.load(...args),
    commit: (...args) => store.commit(...args),
    activate: (...args) => store.activate(...args),
    reset: (...args) => store.reset(...args),
    replace: (...args) => store.replace(...args),
    ...other,
  });
  const state = async (made: ProjectionRunner, wanted: string): Promise<void> => {
    while (made.health()[0]!.state !== wanted) await new Promise((tick) => setImmediate(tick));
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-runner-'));
    ledger = new InMemoryLedger();
    store = await open();
    runners = [];
    reports = [];
    revisions.clear();
  });
  afterEach(async () => {
    for (const each of runners) await each.stop();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it('folds history and what comes after it; a query waits for its token', async () => {
    await map('acme', 'mail', 'billing');
    const made = runner();
    made.start();
    await until(await map('acme', 'search'));
    expect(await doc()).toEqual({
      tenant: 'acme',
      mapped: ['mail', 'billing', 'search'],
      folded: 3,
    });
    await until(await append('acme', ['TenantActivated', {}]));
    expect((await doc())!.folded).toBe(3);
    await state(made, 'live');
    expect(made.health()).toEqual([
      {
        name: 'services',
        version: 1,
        position: await ledger.head(),
        state: 'live',
        detail: null,
      },
    ]);
  });

  it('goes on behind its checkpoint after a restart, folding each event once', async () => {
    const first = runner();
    first.start();
    await until(await map('acme', 'a'));
    await first.stop();
    expect(first.health()[0]!.state).toBe('stopped');
    await map('acme', 'b');
    await store.close();
    store = await open();
    runner().start();
    await until(await map('acme', 'c'));
    expect(await doc()).toMatchObject({ mapped: ['a', 'b', 'c'], folded: 3 });
  });

  it('commits a batch once, whatever documents it changes', async () => {
    const commits: number[] = [];
    const writer = writerWith({
      commit: (...args) => {
        commits.push(args[2].length);
        return store.commit(...args);
      },
    });
    await map('acme', 'a', 'b', 'c');
    await map('other', 'a');
    runner([services()], { writer }).start();
    await until((await ledger.head())!);
    expect(commits).toEqual([2]);
  });

  it('deletes, and begins anew after a deletion', async () => {
    runner().start();
    await map('acme', 'a');
    await until(await append('acme', ['ServiceUnmapped', { service: 'a' }]));
    expect(await doc()).toBeNull();
    await until(await map('acme', 'b'));
    expect(await doc()).toEqual({ tenant: 'acme', mapped: ['b'], folded: 1 });
  });

  it('stops before an event that this release does not know; the next one goes on there', async () => {
    const known = await map('acme', 'a');
    const made = runner();
    made.start();
    await until(known);
    await append('acme', ['TenantPromoted', {}]);
    await state(made, 'failed');
    expect(made.health()[0]).toMatchObject({ position: known });
    expect(made.health()[0]!.detail).toMatch(/services stopped at .*TenantPromoted/);
    expect(reports).toMatchObject([{ name: 'services', state: 'failed' }]);
    await made.stop();
    expect(made.health()[0]!.state).toBe('failed');
    const knowing = {
      upcast: (event: RecordedEvent) =>
        event.type === 'TenantPromoted' ? event : eventCatalog.upcast(event),
    };
    runner([services()], { catalog: knowing }).start();
    await until(await map('acme', 'b'));
    expect(await doc()).toMatchObject({ mapped: ['a', 'b'], folded: 2 });
  });

  it('lets the others go on when one cannot fold an event', async () => {
    const broken = services({
      name: 'broken',
      evolve: () => {
        throw new Error('no such field');
      },
    });
    const made = runner([broken, services()]);
    made.start();
    await until(await map('acme', 'a'));
    await state(made, 'failed');
    expect(made.health()[1]!.state).not.toBe('failed');
    expect((await doc())!.mapped).toEqual(['a']);
    expect(made.health()[0]!.detail).toMatch(/no such field/);
  });

  it('tries again when the store cannot be reached for a while', async () => {
    let down = 2;
    const writer = writerWith({
      commit: async (...args) => {
        down -= 1;
        if (down >= 0) throw new KcmError('ledger_unavailable', 'no room');
        await store.commit(...args);
      },
    });
    const quick = { after: (_ms: number, run: () => void) => systemScheduler.after(0, run) };
    runner([services()], { writer, scheduler: quick }).start();
    await until(await map('acme', 'a', 'b'));
    expect(reports.map((each) => each.state)).toEqual(['waiting', 'waiting']);
    expect(await doc()).toMatchObject({ folded: 2 });
  });

  it('serves the old version until the new one has caught up', async () => {
    const first = runner();
    first.start();
    await until(await map('acme', 'a', 'b'));
    await first.stop();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const writer = writerWith({
      activate: async (name: string, version: number) => {
        await held;
        await store.activate(name, version);
      },
    });
    const second = services({
      version: 2,
      initial: () => ({ tenant: '2', mapped: [], folded: 0 }),
    });
    const made = runner([second], { writer });
    made.start();
    while ((await store.checkpoint('services', 2)) === null)
      await new Promise((tick) => setImmediate(tick));
    expect((await doc())!.tenant).toBe('acme');
    release();
    await state(made, 'live');
    expect(await doc()).toEqual({ tenant: '2', mapped: ['a', 'b'], folded: 2 });
    expect(await store.checkpoint('services', 1)).toBeNull();
  });

  describe('rebuild', () => {
    it('equals the live one while writers go on, and takes its place', async () => {
      const made = runner();
      made.start();
      for (let n = 0; n < 40; n += 1) await map(`t${n % 7}`, `s${n}`);
      const writing = (async () => {
        for (let n = 0; n < 60; n += 1) await map(`t${n % 7}`, `late${n}`);
      })();
      const rebuilt = await made.rebuild('services');
      expect(rebuilt).toMatchObject({ version: 1, documents: 7, equal: true });
      await writing;
      await until(await map('acme', 'last'));
      expect((await made.rebuild('services')).equal).toBe(true);
      const after = await store.digest('services');
      expect(after).toMatchObject({ version: 1, position: await ledger.head(), documents: 8 });
      expect(await store.checkpoint('services.rebuild', 1)).toBeNull();
    });

    it('puts right a read model that was tampered with, and says that it differed', async () => {
      const made = runner();
      made.start();
      await until(await map('acme', 'a'));
      const truth = await store.digest('services');
      await made.stop();
      await store.close();
      const db = new DatabaseSync(join(folder, 'read-models.db'));
      const { tbl } = db.prepare('SELECT tbl FROM collections').get() as { tbl: string };
      db.exec(`UPDATE "${tbl}" SET doc = json_set(doc, '$.mapped[0]', 'forged')`);
      db.close();
      store = await open();
      const again = runner();
      again.start();
      await state(again, 'live');
      expect(await doc()).toMatchObject({ mapped: ['forged'] });
      expect(await again.rebuild('services')).toEqual({ ...truth, equal: false });
      expect(await store.digest('services')).toEqual(truth);
      await until(await map('acme', 'b'));
      expect(await doc()).toMatchObject({ mapped: ['a', 'b'], folded: 2 });
    });

    it('cures a read model of another ledger, which is refused by name before', async () => {
      const made = runner();
      made.start();
      await until(await map('acme', 'a', 'b'));
      await made.stop();
      ledger = new InMemoryLedger();
      revisions.clear();
      await map('acme', 'c');
      const other = runner();
      other.start();
      await state(other, 'failed');
      expect(other.health()[0]!.detail).toMatch(/services was folded from the ledger/);
      expect(await doc()).toMatchObject({ mapped: ['a', 'b'] });
      expect(await other.rebuild('services')).toMatchObject({ documents: 1, equal: null });
      await until(await map('acme', 'd'));
      expect(await doc()).toMatchObject({ mapped: ['c', 'd'], folded: 2 });
    });

    it('of nothing is nothing', async () => {
      const made = runner();
      made.start();
      await state(made, 'live');
      expect(await made.rebuild('services')).toMatchObject({ documents: 0, position: null });
      await until(await map('acme', 'a'));
      expect(await doc()).toMatchObject({ mapped: ['a'] });
    });

    it('is one at a time, of a read model that exists, and ends with the runner', async () => {
      const made = runner();
      made.start();
      await map('acme', 'a');
      const both = await Promise.allSettled([made.rebuild('services'), made.rebuild('services')]);
      expect(both).toMatchObject([
        { status: 'fulfilled' },
        { status: 'rejected', reason: { code: 'wrong_state' } },
      ]);
      await expect(made.rebuild('nothing')).rejects.toMatchObject({ code: 'not_found' });
      await map('acme', 'b');
      const stopped = made.rebuild('services');
      const settled = Promise.allSettled([stopped]);
      await made.stop();
      expect(await settled).toMatchObject([
        { status: 'rejected', reason: { code: 'wrong_state' } },
      ]);
      expect(await doc()).toMatchObject({ tenant: 'acme' });
    });
  });

  it('is part of an event’s trace where it is live, and neither to catch up nor to rebuild', async () => {
    const traced = async (service: string, of: string): Promise<Position> => {
      const { meta, ...event } = sampleEvent({ service });
      const traceparent = `00-${of.repeat(32)}-${'1'.repeat(16)}-01`;
      const made = { ...event, type: 'ServiceMapped', meta: { ...meta, traceparent } };
      const last = revisions.get('acme') ?? 'noStream';
      const appended = await ledger.append(streamOf('tenant', 'acme'), last, [made]);
      revisions.set('acme', appended.revision);
      return appended.position;
    };
    const told: string[] = [];
    const tracer: Tracer = {
      on: true,
      start: (name, _kind, parent) => ({
        traceparent: parent,
        set: () => {},
        end: () => told.push(`${name} ${parent?.slice(3, 5)}`),
      }),
    };
    await traced('early', 'a');
    const made = runner([services()], { tracer });
    made.start();
    await state(made, 'live');
    await traced('live', 'b');
    await until(await append('acme', ['TenantActivated', {}]));
    await made.rebuild('services');
    expect(told).toEqual(['project services bb']);
  });

  it('refuses two projections of one name', () => {
    expect(() => runner([services(), services()])).toThrow(RangeError);
  });
});
