import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { systemClock } from '@kcm/kernel';
import { openMongoBlobStore } from '@kcm/vault/mongodb';
import { checkBackup, placeOf, restoreBackup, withLedger } from '../../apps/ledger/index.js';
import { readAll } from '../crash/ledger-audit.js';
import { Apart, APPS } from '../support/apart.js';
import { EventStoreDouble } from '../support/eventstoredb-double.js';
import {
  EdgeProcess,
  Keystore,
  onboard,
  Proxy,
  runToEnd,
  Stage,
  type Tenant,
  until,
  Workload,
} from '../support/index.js';
import { MongoDatabase, mongoServers } from '../support/mongo.js';

jest.setTimeout(120_000);

interface Ready {
  readonly status: string;
  readonly reasons: readonly { readonly dependency: string; readonly code: string }[];
}

describe('The applications as processes apart, over a double of EventStoreDB and a stand-in for MongoDB', () => {
  const stage = new Stage();
  const double = EventStoreDouble.begin();
  const [mongo] = mongoServers();
  let apart: Apart;
  /** The wire to the ledger. */
  let wire: Proxy;
  let keystore: Keystore;
  let acme: Tenant;
  let edge: EdgeProcess;
  let workload: Workload;

  beforeAll(async () => {
    const [opened, keys, models, blobs] = await Promise.all([
      double.store(),
      Keystore.start(stage),
      MongoDatabase.at(mongo!),
      MongoDatabase.at(mongo!),
    ]);
    keystore = keys;
    wire = await Proxy.listen(stage, () => new URL(opened.url).host);
    apart = await Apart.of(stage, {
      KCM_LEDGER: `esdb://${wire.address}?tls=false`,
      KCM_READ_MODELS: models.url,
      KCM_VAULT: blobs.url,
      KCM_DIRECTORY: blobs.url,
    });
  });
  afterAll(async () => {
    await stage.close();
    await Promise.all([mongo!.stop(), double.end()]);
  });

  it('wait for a server that is not there yet, say so, and start in any order', async () => {
    wire.cut();
    const started = apart.start();
    for (const app of APPS)
      await until(`${app} that waits`, 20_000, () =>
        /"detail":"KCM_LEDGER .*"msg":"waiting for a server"/.test(apart.log(app)) ? true : null,
      );
    wire.heal();
    await started;
  });

  it('serve one API behind one address, and an Edge on another machine', async () => {
    acme = await onboard(apart, keystore, 'acme');
    edge = await EdgeProcess.start(stage, apart, 'edge-1', ['billing']);
    const client = edge.client('billing');
    workload = new Workload(stage, client, await client.sample('acme', 'a record'));
    await workload.untilServed(20_000);
    const projections = await apart.operator.read<{ items: readonly { name: string }[] }>(
      '/v1/sys/projections',
    );
    expect(projections.items.map(({ name }) => name)).toContain('tenants');
    const { body } = await apart.operator.get<string>('/v1/log/local/checkpoint');
    expect(body).toMatch(/^kcm\/local\n|^[^\n]*local[^\n]*\n\d+\n/);
    const size = Number(body.split('\n')[1]);
    expect(size).toBeLessThan(256);
    const tile = await apart.operator.get(`/v1/log/local/tile/0/000.p/${size}`);
    expect(tile.status).toBe(200);
    const beyond = await apart.operator.get('/v1/log/local/tile/0/000.p/255');
    expect([beyond.status, beyond.code]).toEqual([404, 'not_found']);
    const nobody = await apart.as(null).get('/v1/sys/projections');
    expect([nobody.status, nobody.code]).toEqual([401, 'unauthenticated']);
  });

  it('a backup is taken over servers too, through the one address, and is whole', async () => {
    const { body } = await apart.operator.get<string>('/v1/sys/backup');
    const file = stage.path('apart.kcm');
    writeFileSync(file, body);
    const { manifest } = JSON.parse(body.trimEnd().split('\n').at(-1)!) as { manifest: string };
    const facts = await checkBackup(file, manifest);
    expect(facts.vault).toBeGreaterThan(8);
    expect(facts.directory).toBeGreaterThan(0);
    expect(body).not.toContain('"key":"tek/');
  });

  it('a backup is restored into empty databases, and into no others', async () => {
    const file = stage.path('apart.kcm');
    const end = readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)!;
    const { manifest } = JSON.parse(end) as { manifest: string };
    const [store, blobs] = await Promise.all([double.store(), MongoDatabase.at(mongo!)]);
    const place = placeOf({
      KCM_DATA_DIR: stage.path('restored'),
      KCM_LEDGER: store.url,
      KCM_VAULT: blobs.url,
      KCM_DIRECTORY: blobs.url,
    });
    const facts = await restoreBackup(place, file, manifest, systemClock);
    const vault = await openMongoBlobStore({ url: blobs.url, role: 'vault' });
    expect(await vault.list('')).toHaveLength(facts.vault);
    await vault.close();
    const raised = await withLedger(place, async (ledger) => {
      expect(ledger.id).toBe(facts.to);
      const events = await readAll(ledger);
      expect(events).toHaveLength(facts.events + facts.tenants);
      return events.slice(facts.events).map(({ type }) => type);
    });
    expect(new Set(raised)).toEqual(new Set(['TermRaised']));
    await expect(restoreBackup(place, file, manifest, systemClock)).rejects.toMatchObject({
      code: 'store_not_empty',
      message: expect.stringContaining('the ledger and the vault and the directory') as string,
    });
    await blobs.drop();
  });

  it.each(APPS)('%s killed: what was acknowledged is there, and all goes on', async (app) => {
    await apart.processes[app].kill();
    const during = await apart
      .as(null)
      .get<Ready>('/livez')
      .catch(() => null);
    expect(during === null).toBe(app === 'cmk');
    await apart.processes[app].start();
    const id = `after-${app}`;
    await until('a command', 20_000, async () => {
      const answer = await apart.operator.post('/v1/tenants', { id, name: id });
      return answer.status === 201 || answer.status === 409 ? true : null;
    });
    const known = await acme.auditor.read<{ items: readonly unknown[] }>(`${acme.path}/audit`);
    expect(known.items.length).toBeGreaterThan(5);
    await workload.untilServed(30_000);
  });

  it('a second Core, with a folder of its own, does not start', async () => {
    const second = apart.another('core', 'second', { KCM_HTTP_PORT: '0', KCM_KMIP_PORT: '0' });
    mkdirSync(stage.path('second'));
    await expect(second.start()).rejects.toThrow(/another Core has it/);
    await workload.untilServed(5_000);
  });

  it('a Core that was started anew and waits for its share is sealed for cmk too', async () => {
    await apart.processes.core.kill();
    const waiting = apart.another('core', 'core', { KCM_SEAL: 'shamir' });
    await waiting.start();
    const refused = await until('a refusal', 10_000, async () => {
      const answer = await apart.operator.get('/v1/tenants');
      return answer.status === 200 ? null : answer;
    });
    expect([refused.status, refused.code]).toEqual([503, 'sealed']);
    const { body } = await apart.as(null).get<Ready>('/readyz');
    expect(body.reasons).toContainEqual(expect.objectContaining({ dependency: 'seal' }));
    const share = readFileSync(join(waiting.dataDir, 'unseal-key'), 'utf8').trim();
    await apart.operator.command('/v1/sys/unseal', { share });
    expect((await apart.operator.get('/v1/tenants')).status).toBe(200);
    await waiting.stop();
    await apart.processes.core.start();
    await workload.untilServed(30_000);
  });

  it('without the projector reads say as of when they are, and say nothing once it is back', async () => {
    await apart.processes.projector.stop();
    const asOf = async () => {
      const { headers } = await acme.auditor.get(`${acme.path}/audit?limit=1`);
      return headers['kcm-as-of'] ?? null;
    };
    expect(await asOf()).toBeNull();
    const start = Date.now();
    await apart.operator.post('/v1/tenants', { id: 'unseen', name: 'unseen' });
    const told = await until('an age', 20_000, asOf);
    expect(Date.parse(String(told))).toBeLessThan(Date.now() - 1_000);
    expect(Date.parse(String(told))).toBeGreaterThan(start - 5_000);
    await apart.processes.projector.start();
    await until('no age', 20_000, async () => ((await asOf()) === null ? true : null));
  });

  it('without Core: what it decides is refused by name, and a lock is recorded all the same', async () => {
    await apart.processes.core.stop();
    const refused = await apart.operator.post('/v1/sys/seal');
    expect([refused.status, refused.code]).toEqual([503, 'core_unavailable']);
    const { body } = await apart.as(null).get<Ready>('/readyz');
    expect(body.reasons).toContainEqual(
      expect.objectContaining({ dependency: 'Core', code: 'no_answer' }),
    );
    const locked = await acme.anna.call(
      'POST',
      `${acme.path}/revocations`,
      { kind: 'suspend', scope: { all: true }, reason: { code: 'incident' } },
      { prefer: 'wait=0' },
    );
    expect(locked.status).toBeLessThan(300);
    // Nobody renews it: the lease ends it.
    await workload.untilRefused(20_000);
    await apart.processes.core.start();
    await until('the holder that refuses by its lock', 30_000, () =>
      workload.codes.includes('tenant_suspended') ? true : null,
    );
  });
});

describe('A process apart', () => {
  const stage = new Stage();
  const double = EventStoreDouble.begin();
  afterAll(async () => {
    await stage.close();
    await double.end();
  });

  it('cmk sends tokens and shares over plain HTTP to loopback alone, and takes no path there', async () => {
    const { code, stderr } = await runToEnd('cmk', [], {
      KCM_DATA_DIR: stage.path('neighbours'),
      KCM_CORE_URL: 'http://core.internal:8080',
      KCM_PROJECTOR_URL: 'http://127.0.0.1:8081/prefix',
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ *KCM_CORE_URL: plain HTTP is for loopback only/m);
    expect(stderr).toMatch(
      /^ *KCM_PROJECTOR_URL: is a scheme, a host and a port, and nothing else/m,
    );
  });

  it.each(APPS)('%s names every setting that it lacks, and does not start', async (app) => {
    const { code, stderr } = await runToEnd(app, [], { KCM_DATA_DIR: stage.path(app) });
    expect(code).toBe(2);
    for (const name of ['KCM_LEDGER', 'KCM_READ_MODELS', 'KCM_DIRECTORY', 'KCM_OPERATOR_TOKEN'])
      expect(stderr).toMatch(new RegExp(`^ *${name}: `, 'm'));
    expect(/KCM_CORE_URL: is needed/.test(stderr)).toBe(app === 'cmk');
    expect(/KCM_VAULT: /.test(stderr)).toBe(app !== 'projector');
  });

  it('does not wait for a ledger that is too old: one line, and the end', async () => {
    const { url } = await double.store({ version: '21.10.9.0' });
    const { code, stderr } = await runToEnd('projector', [], {
      KCM_DATA_DIR: stage.path('refused'),
      KCM_LEDGER: url,
      KCM_READ_MODELS: 'mongodb://127.0.0.1:1/kcm',
      KCM_DIRECTORY: 'mongodb://127.0.0.1:1/kcm',
      KCM_OPERATOR_TOKEN: 'the-operator-of-processes-that-run-apart',
    });
    expect(code).toBe(1);
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      /^OpenKCM did not start\. KCM_LEDGER .*EventStoreDB is 21\.10\.9\.0: 22\.10 or newer/,
    );
  });
});
