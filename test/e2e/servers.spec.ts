import { readdirSync } from 'node:fs';
import { jest } from '@jest/globals';
import { type DoubleStore, EventStoreDouble } from '../support/eventstoredb-double.js';
import { Keystore, onboard, Region, runToEnd, Stage, until, Workload } from '../support/index.js';
import { MongoDatabase, mongoServers } from '../support/mongo.js';

jest.setTimeout(120_000);

/** A port on which nobody listens. */
const NOBODY = '127.0.0.1:9';
/** Nothing of it may ever be told. */
const PASSWORD = 'pass-word-of-an-engine';

interface Ready {
  readonly reasons: readonly { readonly dependency: string; readonly code: string }[];
}

describe('The same product on servers: a double of EventStoreDB, a stand-in for MongoDB', () => {
  const stage = new Stage();
  const double = EventStoreDouble.begin();
  const [mongo] = mongoServers();
  let store: DoubleStore;
  let region: Region;
  let keystore: Keystore;

  beforeAll(async () => {
    const [opened, keys, readModels, vault] = await Promise.all([
      double.store(),
      Keystore.start(stage),
      MongoDatabase.at(mongo!),
      MongoDatabase.at(mongo!),
    ]);
    store = opened;
    keystore = keys;
    region = new Region(stage, {
      services: 'billing',
      env: {
        KCM_LEDGER: store.url,
        KCM_READ_MODELS: readModels.url,
        KCM_VAULT: vault.url,
        KCM_DIRECTORY: vault.url,
      },
    });
    await region.start();
  });
  afterAll(async () => {
    await stage.close();
    await Promise.all([mongo!.stop(), double.end()]);
  });

  it('serves a tenant; killed and started again it goes on with what it acknowledged', async () => {
    const acme = await onboard(region, keystore, 'acme');
    const sample = await region.edge('billing').sample(acme.id, 'a record');

    await region.server.kill();
    await region.start();

    const workload = new Workload(stage, region.edge('billing'), sample);
    await workload.untilServed(20_000);
    const known = await acme.auditor.read<{ items: readonly unknown[] }>(`${acme.path}/audit`);
    expect(known.items.length).toBeGreaterThan(5);
    await workload.stop();
    expect(readdirSync(region.data).filter((name) => name.endsWith('.db'))).toEqual([
      'erasure.db',
      'lock.db',
      'log.db',
    ]);
  });

  it('refuses commands while the ledger is away, loses nothing and resumes by itself', async () => {
    const before = await region.operator.command<{ id: string }>('/v1/tenants', {
      id: 'before',
      name: 'before',
    });
    const back = store.restart(4_000);
    const away = await until('a refusal', 10_000, async () => {
      const answer = await region.operator.post('/v1/tenants', { id: 'while', name: 'while' });
      return answer.status < 300 ? null : answer;
    });
    expect([away.status, away.code]).toEqual([503, 'ledger_unavailable']);
    await back;
    await until('an acknowledgement', 20_000, async () => {
      const answer = await region.operator.post('/v1/tenants', { id: 'after', name: 'after' });
      return answer.status === 201 ? true : null;
    });
    const found = await region.operator.read<{ id: string }>(`/v1/tenants/${before.id}`);
    expect(found.id).toBe('before');
    await until('readiness', 20_000, async () => {
      const { body } = await region.as(null).get<Ready>('/readyz');
      return body.reasons.some(({ dependency }) => dependency === 'ledger') ? null : true;
    });
  });
});

describe('A server that is not there', () => {
  const stage = new Stage();
  afterAll(() => stage.close());

  it.each([
    ['KCM_LEDGER', `esdb://admin:${PASSWORD}@${NOBODY}?tls=false`],
    ['KCM_READ_MODELS', `mongodb://admin:${PASSWORD}@${NOBODY}/kcm`],
    ['KCM_VAULT', `mongodb://admin:${PASSWORD}@${NOBODY}/kcm`],
    ['KCM_DIRECTORY', `mongodb://admin:${PASSWORD}@${NOBODY}/kcm`],
  ])('%s: one line says so, with the address and without the password', async (name, url) => {
    const ended = await runToEnd('standalone', [], {
      KCM_DATA_DIR: stage.path(name),
      KCM_HTTP_PORT: '0',
      KCM_KMIP_PORT: '0',
      [name]: url,
    });
    expect(ended.code).toBe(1);
    expect(ended.stdout).toBe('');
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(ended.stderr).toContain('OpenKCM did not start.');
    expect(ended.stderr).toContain(name);
    expect(ended.stderr).toContain(NOBODY);
    expect(ended.stderr).not.toContain(PASSWORD);
  });
});
