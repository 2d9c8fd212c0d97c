import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { jest } from '@jest/globals';
import { type NewEvent, streamOf, systemRandom } from '@kcm/kernel';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { Keystore, onboard, Region, Stage, until, Workload } from '../support/index.js';

jest.setTimeout(60_000);

interface Ready {
  readonly status: string;
  readonly reasons: readonly { readonly dependency: string; readonly code: string }[];
}

const PLANTED = 'planted' as NewEvent['id'];
const OF_A_LATER_RELEASE: NewEvent = {
  id: PLANTED,
  type: 'NeverHeardOf',
  schemaVersion: 1,
  data: {},
  meta: {
    commandId: 'planted' as NewEvent['meta']['commandId'],
    fingerprint: '',
    tenant: 'planted',
    actor: 'core',
    origin: 'local',
    term: 1,
    epoch: 0,
    occurredAt: '2026-01-01T00:00:00.000Z',
    correlationId: 'planted',
    causationId: 'planted',
  },
};

/** Brings an event into a ledger that a server holds, as no program of ours would. */
async function plant(folder: string, file: string): Promise<void> {
  mkdirSync(folder, { mode: 0o700 });
  const other = join(folder, 'ledger.db');
  const ledger = await openSqliteLedger({ file: other, random: systemRandom });
  await ledger.append(streamOf('tenant', 'planted'), 'noStream', [OF_A_LATER_RELEASE]);
  await ledger.close();
  const db = new DatabaseSync(file, { timeout: 5_000 });
  const columns = 'stream, revision, id, type, schema_version, data, meta, checksum';
  db.exec(`ATTACH '${other}' AS other;
    INSERT INTO main.events(${columns}) SELECT ${columns} FROM other.events`);
  db.close();
}

describe('An event that Core cannot take, while it serves', () => {
  const stage = new Stage();
  const region = new Region(stage, { services: 'billing' });
  afterAll(() => stage.close());

  it('ends what it grants: it says so, goes on answering, and no lease outlives its end', async () => {
    const [keystore] = await Promise.all([Keystore.start(stage), region.start()]);
    const tenant = await onboard(region, keystore, 'acme');
    const edge = region.edge('billing');
    const workload = new Workload(stage, edge, await edge.sample(tenant.id, 'a record'));
    await workload.untilServed(20_000);

    await plant(stage.path('another'), join(region.data, 'ledger.db'));

    // Hears of it with the next event of its own.
    const report = await until('the reason', 20_000, async () => {
      await region.operator.post('/v1/tenants', { id: 'late', name: 'late' });
      const { status, body } = await region.as(null).get<Ready>('/readyz');
      const stopped = body.reasons.some(
        ({ dependency, code }) => dependency === 'core-view' && code === 'stopped',
      );
      return stopped ? { status, body } : null;
    });
    expect([report.status, report.body.status]).toEqual([503, 'unavailable']);
    expect(await workload.untilRefused(20_000)).toBe(true);
    expect(new Set(workload.codes)).toEqual(new Set(['lease_expired']));
    const refused = await region.operator.post('/v1/tenants', { id: 'later', name: 'later' });
    expect([refused.status, refused.code]).toEqual([503, 'integrity']);
    const figures = await region.as(null).read<string>('/metrics');
    expect(figures).toContain('kcm_fold_up{fold="core-view"} 0\n');
  });
});
