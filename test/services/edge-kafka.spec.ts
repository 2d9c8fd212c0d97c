import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { askSocket } from '@kcm/testing/edge';
import { TestAuthority } from '@kcm/testing/tls';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { type RunningKafka, startKafka } from '../../scripts/services/kafka.mjs';
import { EventFeed } from '../support/event-feed.js';
import {
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  runToEnd,
  Stage,
  type Tenant,
  until,
  Workload,
} from '../support/index.js';
import { administer } from '../support/kafka.js';
import { say } from '../support/seeded.js';

jest.setTimeout(90_000);

const TOPIC = 'kcm.revocations.v1';
/** Long: what ends access here is no lease's end. */
const leaseSeconds = 300;

describe('An Edge that follows messages about revocations', () => {
  const stage = new Stage();
  const feeds: EventFeed[] = [];
  let dir: string;
  let kafka: RunningKafka;
  let producer: Producer;
  let strangers: TestAuthority;
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kcm-edge-kafka-'));
    const authority = await TestAuthority.create();
    strangers = await TestAuthority.create('strangers');
    const secured = { ...(await authority.server()), users: [] };
    [kafka, region, keystore] = await Promise.all([
      startKafka({ dir, secured }),
      new Region(stage, { services: 'billing' }).start(),
      Keystore.start(stage),
    ]);
    await administer([kafka.brokers], (admin) =>
      admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 3 }], waitForLeaders: true }),
    );
    const brokers = [kafka.brokers];
    producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    const env = { KCM_MESSAGING: `kafka://${kafka.brokers}` };
    edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing'], env);
  }, 180_000);
  afterAll(async () => {
    for (const feed of feeds) feed.cut();
    await producer.disconnect();
    await stage.close();
    await kafka.stop();
    await rm(dir, { recursive: true });
  });

  const send = (tenant: string, ...bodies: readonly string[]) =>
    producer.send({ topic: TOPIC, messages: bodies.map((value) => ({ key: tenant, value })) });
  const get = (of: EdgeProcess, path: string) =>
    askSocket(join(of.data, 'edge', 'billing.sock'), 'GET', path);
  const messagingOf = async (of: EdgeProcess): Promise<string | null> => {
    const { body } = await get(of, '/readyz');
    const reasons = body['reasons'] as readonly { dependency: string; code: string }[];
    return reasons.find(({ dependency }) => dependency === 'messaging')?.code ?? null;
  };
  const follows = (of: EdgeProcess) =>
    until('messages to be followed', 30_000, async () =>
      (await messagingOf(of)) === null ? true : null,
    );
  const working = async (tenant: Tenant, at: EdgeProcess): Promise<Workload> => {
    const client = at.client('billing');
    const workload = new Workload(stage, client, await client.sample(tenant.id, 'a record'));
    await workload.untilServed(10_000);
    return workload;
  };
  /** As the ledger's events come to the topic: what the event stream sends, unchanged. */
  const relay = async (tenant: Tenant): Promise<void> => {
    const token = await region.server.tokenFor(tenant.id, ['auditor'], 'ada');
    const feed = new EventFeed(() => region.server.url, `${tenant.path}/events`, token);
    feeds.push(feed);
    expect(await feed.connect()).toBe(200);
    const lock = feed.until('the lock', ({ type }) => type === 'io.openkcm.LockTaken.v1');
    void lock.then(({ event }) => send(tenant.id, JSON.stringify(event)));
  };
  const kill = async ({ anna, path }: Tenant): Promise<number> => {
    const body = { kind: 'kill', scope: { all: true }, reason: { code: 'incident' } };
    const at = Date.now();
    await anna.command(`${path}/revocations`, body);
    return at;
  };
  const lie = (tenant: string): string =>
    JSON.stringify({
      type: 'io.openkcm.LockTaken.v1',
      id: randomUUID(),
      kcmtenant: tenant,
      kcmterm: 1,
      kcmepoch: 1_000 + Math.floor(performance.now()),
    });

  it('refuses by them where Core’s own notice does not come', async () => {
    const env = { KCM_MESSAGING: `kafka://${kafka.brokers}` };
    const [told, apart, tenant] = await Promise.all([
      EdgeProcess.start(stage, region, 'edge-2', ['billing']),
      EdgeProcess.start(stage, region, 'edge-3', ['billing'], env),
      onboard(region, keystore, 'bank', { leaseSeconds }),
    ]);
    await Promise.all([edge, apart].map(follows));
    const [bySilence, byNotice, byKafka] = await Promise.all([
      working(tenant, edge),
      working(tenant, told),
      working(tenant, apart),
    ]);
    await relay(tenant);
    // Core is not heard of any more by the one, and gone for the other.
    edge.wire.hold();
    apart.wire.cut();
    await Promise.all([bySilence, byKafka].map((workload) => workload.untilServed(5_000)));
    const t0 = await kill(tenant);
    await Promise.all([byNotice, byKafka].map((workload) => workload.untilRefused(15_000)));
    expect(byKafka.codes).toEqual(['lease_expired', 'lease_expired']);
    const { lastServedAt } = bySilence;
    await sleep(1_000);
    expect(bySilence.lastServedAt).toBe(lastServedAt);
    edge.wire.release();
    await until('Core’s own word', 15_000, () =>
      bySilence.codes.every((code) => code === 'tenant_killed') ? true : null,
    );
    const [kafkaMs, noticeMs] = [byKafka, byNotice].map((one) => one.decrypts.refusedAt! - t0);
    const lastMs = lastServedAt - t0;
    say(`kill → refused: over Kafka ${kafkaMs} ms, by Core’s notice ${noticeMs} ms`);
    say(
      `kill → last served over Kafka: Core gone ${byKafka.lastServedAt - t0}, silent ${lastMs} ms`,
    );
    await Promise.all([bySilence, byNotice, byKafka].map((workload) => workload.stop()));
    await Promise.all([told.stop(), apart.stop()]);
  });

  it('serves on under a flood of lies and garbage, and asks Core once a second', async () => {
    await edge.connected();
    await follows(edge);
    const tenant = await onboard(region, keystore, 'flooded', { leaseSeconds });
    const workload = await working(tenant, edge);
    const grants = async () => (await tenant.auditor.list(`${tenant.path}/leases`)).length;
    const before = await grants();
    const seen = new Set<string>();
    const start = performance.now();
    const counted = async (outcome: string): Promise<number> => {
      const { text } = await get(edge, '/metrics');
      const line = text.split('\n').find((each) => each.includes(`outcome="${outcome}"`));
      return Number(line?.split(' ')[1]);
    };
    const refusedBefore = workload.encrypts.refused + workload.decrypts.refused;
    while (performance.now() - start < 4_000) {
      const batch = Array.from({ length: 100 }, (_, n) => (n % 4 === 0 ? '{' : lie('flooded')));
      await send('flooded', ...batch);
      const { grantId } = await edge.client('billing').encrypt('flooded', 'more');
      if (grantId !== undefined) seen.add(grantId);
      await sleep(50);
    }
    await workload.untilServed(5_000);
    const seconds = (performance.now() - start) / 1_000;
    expect(workload.encrypts.refused + workload.decrypts.refused).toBe(refusedBefore);
    expect(seen.size).toBeGreaterThan(2);
    const asked = (await grants()) - before;
    expect(asked).toBeLessThanOrEqual(seconds + 2);
    expect(seen.size).toBeLessThanOrEqual(seconds + 2);
    const [read, unreadable] = [await counted('read'), await counted('unreadable')];
    say(
      `${read} lies and ${unreadable} pieces of garbage: ${seen.size} leases in ${seconds.toFixed(1)} s`,
    );
    expect(unreadable).toBeGreaterThan(100);
    expect(edge.program.output.split('message-unreadable').length).toBe(2);
    await workload.stop();
  });

  it('starts where brokers are away, strangers, or do not let it in, and says so once', async () => {
    const { ca } = await strangers.server();
    const { MTLS, BARE } = kafka.doors;
    const cases = [
      ['away', 'messaging_unreachable', /does not answer/g, '127.0.0.1:1', {}],
      ['strange', 'messaging_unreachable', /that is not taken/g, MTLS, { KCM_MESSAGING_CA: ca }],
      ['refused', 'messaging_refused', /refuses the credentials/g, `edge:wrong-horse@${BARE}`, {}],
    ] as const;
    const tried = cases.map(async ([id, code, line, door, more]) => {
      const env = { KCM_MESSAGING: `kafka://${door}`, ...more };
      const other = await EdgeProcess.start(stage, region, id, ['billing'], env);
      const { program } = other;
      await program.until('the reason', () => (program.output.match(line) === null ? null : true));
      expect(await messagingOf(other)).toBe(code);
      await sleep(2_000);
      expect(program.output.match(line)).toHaveLength(1);
      expect(program.output).not.toContain('wrong-horse');
      await other.stop();
    });
    await Promise.all(tried);
  });

  it('does not start where its address is wrong: one line, no password in it', async () => {
    const env = { KCM_MESSAGING: 'kafka://edge:wrong-horse@kafka.example:9092' };
    const { identity, wire, data } = edge;
    const ended = await runToEnd('edge', [], {
      KCM_CORE: wire.address,
      KCM_DATA_DIR: `${data}-2`,
      KCM_TLS_CERT: join(identity, 'client.pem'),
      KCM_TLS_KEY: join(identity, 'client-key.pem'),
      KCM_TLS_CA: join(identity, 'ca.pem'),
      ...env,
    });
    expect(ended.code).toBe(2);
    expect(ended.stderr.trim().split('\n').at(-1)).toMatch(/KCM_MESSAGING: .*plain text/);
    expect(ended.stderr).not.toContain('wrong-horse');
  });

  it('goes on without brokers, says so, and follows them again by itself', async () => {
    const tenant = await onboard(region, keystore, 'steady', { leaseSeconds });
    const workload = await working(tenant, edge);
    const { port } = kafka;
    await producer.disconnect();
    await kafka.stop();
    await until('the loss to be told', 45_000, () => messagingOf(edge));
    expect(await messagingOf(edge)).toBe('messaging_unreachable');
    await workload.untilServed(5_000);
    expect(edge.program.output).toContain('messaging-unreachable');
    kafka = await startKafka({ dir, port });
    await follows(edge);
    await producer.connect();
    await send('steady', lie('steady'));
    await edge.program.until('a message after the loss', () =>
      /"tenant":"steady"[^\n]*"msg":"heard"/.test(edge.program.output) ? true : null,
    );
    await workload.untilServed(5_000);
    expect(workload.encrypts.refused + workload.decrypts.refused).toBe(0);
    await workload.stop();
  });
});
