import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProjectionRunner, processProjection } from '@kcm/application';
import { eventCatalog } from '@kcm/domain';
import { systemRandom, systemScheduler } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { processes } from '@kcm/processes';
import type { Projection } from '@kcm/read-models';
import { openSqliteReadModels, type SqliteReadModels } from '@kcm/read-models/sqlite';
import { acmeStory } from '@kcm/testing';
import { projections } from '@projections/all';

const all: readonly Projection<unknown>[] = [
  ...projections,
  ...processes.map((process) => processProjection(process) as Projection<unknown>),
];

// Folded live, one event at a time, every document went through the store between two events; the
// rebuild folds them in large batches in memory. Both must come to the same.
describe('every read model and process of the product', () => {
  let folder: string;
  let ledger: Ledger;
  let store: SqliteReadModels;
  let runner: ProjectionRunner;
  const failures: unknown[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-rebuild-'));
    ledger = await openSqliteLedger({ file: join(folder, 'ledger.db'), random: systemRandom });
    store = await openSqliteReadModels({ file: join(folder, 'read-models.db') });
    runner = new ProjectionRunner(
      {
        ledger,
        catalog: eventCatalog,
        writer: store,
        reader: store,
        scheduler: systemScheduler,
        random: systemRandom,
        report: (_name, error) => failures.push(error),
      },
      all,
    );
    runner.start();
    for (const { stream, revision, position: _position, ...event } of acmeStory().events) {
      const expected = revision === 0 ? 'noStream' : revision - 1;
      const { position } = await ledger.append(stream, expected, [event]);
      for (const { name } of all) await store.waitFor(name, { ledger: ledger.id, position }, 4_000);
    }
  }, 60_000);
  afterAll(async () => {
    await runner.stop();
    await store.close();
    await ledger.close();
    rmSync(folder, { recursive: true });
  });

  it.each(all.map(({ name }) => name))('%s: its rebuild equals the live one', async (name) => {
    expect(failures).toEqual([]);
    const live = await store.digest(name);
    expect(live!.documents).toBeGreaterThan(0);
    expect(await runner.rebuild(name)).toEqual({ ...live, equal: true });
    expect(await store.digest(name)).toEqual(live);
  });
});
