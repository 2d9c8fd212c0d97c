import { readdirSync } from 'node:fs';
import { jest } from '@jest/globals';
import { type DoubleStore, EventStoreDouble } from '../support/eventstoredb-double.js';
import {
  Keystore,
  onboard,
  Proxy,
  Region,
  runToEnd,
  Stage,
  until,
  Workload,
} from '../support/index.js';
import { hostOf, MongoDatabase, mongoServers } from '../support/mongo.js';

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
  /** The wire to MongoDB. */
  let wire: Proxy;

  beforeAll(async () => {
    const [opened, keys, readModels, vault] = await Promise.all([
      double.store(),
      Keystore.start(stage),
      MongoDatabase.at(mongo!),
      MongoDatabase.at(mongo!),
    ]);
    store = opened;
    keystore = keys;
    wire = await Proxy.listen(stage, () => hostOf(vault.url));
    const behind = ({ url }: MongoDatabase) => url.replace(hostOf(url), wire.address);
    region = new Region(stage, {
      services: 'billing',
      env: {
        KCM_LEDGER: store.url,
        KCM_READ_MODELS: behind(readModels),
        KCM_VAULT: behind(vault),
        KCM_DIRECTORY: behind(vault),
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
    const old = await until('reads that say as of when they are', 5_000, async () => {
      const { status, headers } = await region.operator.get('/v1/tenants');
      expect(status).toBe(200);
      return headers['kcm-as-of'] ?? null;
    });
    expect(Date.parse(String(old))).toBeLessThan(Date.now() - 1_000);
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

  it('while MongoDB is away refuses by code what it cannot store, goes on serving leases, and resumes', async () => {
    const globex = await onboard(region, keystore, 'globex', { leaseSeconds: 60 });
    const edge = region.edge('billing');
    const workload = new Workload(stage, edge, await edge.sample(globex.id, 'a record'));
    await workload.untilServed(20_000);
    const at = Date.now();
    wire.cut();
    const { status, code } = await region.operator.post('/v1/tenants', { id: 'lost', name: 'x' });
    expect([status, code]).toEqual([503, 'ledger_unavailable']);
    const read = await globex.auditor.get(`${globex.path}/audit`);
    expect([read.status, read.code]).toEqual([503, 'ledger_unavailable']);
    await workload.untilServed(5_000);
    const waiting = await until('readiness that says so', 20_000, async () => {
      const { body } = await region.as(null).get<Ready>('/readyz');
      return body.reasons.find(({ code: said }) => said === 'waiting') ?? null;
    });
    expect(waiting.dependency).toMatch(/^read-model /);
    wire.heal();
    await until('the same again', 30_000, async () => {
      const answer = await region.operator.post('/v1/tenants', { id: 'lost', name: 'x' });
      return answer.status === 201 || answer.status === 409 ? true : null;
    });
    const known = await until('the audit trail', 30_000, async () => {
      const answer = await globex.auditor.get<{ items: readonly { at: string }[] }>(
        `${globex.path}/audit`,
      );
      return answer.status === 200 ? answer.body.items : null;
    });
    expect(known.some((item) => Date.parse(item.at) < at)).toBe(true);
    await workload.stop();
    expect(workload.decrypts.refused).toBe(0);
  });
});

describe('A server that is not there', () => {
  const stage = new Stage();
  afterAll(() => stage.close());

  it('is one line with its setting and its address, and never the password', async () => {
    const mongo = `mongodb://admin:${PASSWORD}@${NOBODY}/kcm`;
    const settings = {
      KCM_LEDGER: `esdb://admin:${PASSWORD}@${NOBODY}?tls=false`,
      KCM_READ_MODELS: mongo,
      KCM_VAULT: mongo,
      KCM_DIRECTORY: mongo,
    };
    await Promise.all(
      Object.entries(settings).map(async ([name, url]) => {
        const ended = await runToEnd('standalone', [], {
          KCM_DATA_DIR: stage.path(name),
          KCM_HTTP_PORT: '0',
          KCM_KMIP_PORT: '0',
          [name]: url,
        });
        expect([ended.code, ended.stdout]).toEqual([1, '']);
        expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
        expect(ended.stderr).toContain(`OpenKCM did not start. ${name} (${NOBODY})`);
        expect(ended.stderr).not.toContain(PASSWORD);
      }),
    );
  });
});
