import { join } from 'node:path';
import { jest } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { type RunningKafka, startKafka } from '../../scripts/services/kafka.mjs';
import { EventSchemas } from '../support/event-schemas.js';
import { Keystore, onboard, Region, runToEnd, Stage, until, Workload } from '../support/index.js';
import { administer, type Brokers } from '../support/kafka.js';

jest.setTimeout(120_000);

const TOPICS = ['kcm.events.v1', 'kcm.revocations.v1'];
interface Sent {
  readonly topic: string;
  readonly key: string;
  readonly partition: number;
  readonly text: string;
  readonly event: Readonly<Record<string, unknown>> & {
    readonly id: string;
    readonly type: string;
    readonly subject: string;
    readonly data: object;
    readonly kcmrevision: number;
    readonly kcmtenant?: string;
    readonly kcmseq?: number;
  };
}

describe('The events of a region on Kafka', () => {
  const stage = new Stage();
  const schemas = new EventSchemas();
  let broker: RunningKafka;
  let brokers: Brokers;
  let region: Region;
  let keystore: Keystore;

  beforeAll(async () => {
    [broker, keystore] = await Promise.all([
      startKafka({ dir: stage.path('kafka') }),
      Keystore.start(stage),
    ]);
    brokers = [broker.brokers];
    region = new Region(stage, {
      services: 'billing',
      env: { KCM_MESSAGING: `kafka://${broker.brokers}` },
    });
    await region.start();
  });
  afterAll(async () => {
    await stage.close();
    await broker.stop();
  });

  /** All that is there now. */
  const read = async (): Promise<readonly Sent[]> => {
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    const found: Sent[] = [];
    let left = 0;
    await administer(brokers, async (admin) => {
      for (const topic of TOPICS)
        for (const { low, high } of await admin.fetchTopicOffsets(topic))
          left += Number(high) - Number(low);
    });
    const consumer = kafka.consumer({ groupId: `reader-${Math.random()}` });
    await consumer.connect();
    await consumer.subscribe({ topics: TOPICS, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ topic, partition, message }) => {
        const text = message.value!.toString('utf8');
        const event = JSON.parse(text) as Sent['event'];
        found.push({ topic, partition, key: message.key!.toString('utf8'), text, event });
      },
    });
    await until('all messages', 20_000, () => (found.length >= left ? true : null));
    await consumer.disconnect();
    return found;
  };
  const waits = (name: string) =>
    until(`${name} that waits`, 20_000, async () => {
      const { body } = await region
        .as(null)
        .get<{ reasons: readonly { dependency: string; code: string }[] }>('/readyz');
      return body.reasons.find(({ dependency, code }) => dependency === name && code === 'waiting');
    });
  const caughtUp = () =>
    until('relays that wait for nothing', 30_000, async () => {
      const text = await region.as(null).read<string>('/metrics');
      const lags = [...text.matchAll(/^kcm_fold_lag_seconds\{fold="relay-\w+"\} (\S+)$/gm)];
      const up = [...text.matchAll(/^kcm_fold_up\{fold="relay-\w+"\} 1$/gm)];
      return (lags.length === 2 && up.length === 2 && lags.every(([, lag]) => lag === '0')) || null;
    });

  it('wait for topics that somebody makes, and say so', async () => {
    await waits('relay-events');
    await administer(brokers, (admin) =>
      admin.createTopics({ topics: TOPICS.map((topic) => ({ topic, numPartitions: 3 })) }),
    );
  });

  it('are all there, in order and numbered without a gap, though server and broker were killed', async () => {
    const acme = await onboard(region, keystore, 'acme');
    const edge = region.edge('billing');
    const workload = new Workload(stage, edge, await edge.sample('acme', 'a planted record'));
    await region.server.kill();
    await region.start();
    await workload.untilServed(20_000);
    await broker.stop();
    const lock = { kind: 'suspend', scope: { all: true }, reason: { code: 'incident' } };
    const { id } = await acme.anna.command<{ id: string }>(`${acme.path}/revocations`, lock);
    await waits('relay-revocations');
    broker = await startKafka({ dir: stage.path('kafka'), port: broker.port });
    await acme.boris.command(`${acme.path}/revocations/${id}/release`);
    await workload.stop();
    await caughtUp();

    const sent = await read();
    const events = sent.filter(({ topic }) => topic === 'kcm.events.v1');
    const numbers = new Set(events.map(({ event }) => event.kcmseq));
    expect([...numbers].toSorted((a, b) => a! - b!)).toEqual([...Array(numbers.size).keys()]);
    for (const { topic, key, event } of sent) {
      expect(schemas.faultsOf(event)).toEqual([]);
      expect(key).toBe(topic === 'kcm.events.v1' ? event.subject : event.kcmtenant);
    }
    // Of each stream in the order of its revisions: a repetition never goes further back than what
    // was not acknowledged.
    for (const topic of TOPICS) {
      const last = new Map<string, number>();
      for (const { event } of sent.filter((one) => one.topic === topic)) {
        const known = last.get(event.subject) ?? -1;
        expect(event.kcmrevision).toBeLessThanOrEqual(known + 1);
        last.set(event.subject, Math.max(known, event.kcmrevision));
      }
    }
    const revocations = sent.filter(({ topic }) => topic === 'kcm.revocations.v1');
    const types = new Set(revocations.map(({ event }) => event.type.split('.')[2]));
    expect(types).toContain('LockTaken');
    expect(types).toContain('LockReleased');
    expect(types).toContain('RevocationReleased');
    expect([...types].every((type) => /^(Lock|Revocation|Receipt|Material)/.test(type!))).toBe(
      true,
    );
    const all = sent.map(({ text }) => text).join('\n');
    expect(all).not.toContain(acme.key.token);
    expect(all).not.toContain(Buffer.from('a planted record').toString('base64'));
  });

  it.each([
    ['an address that is none', 'kafka://nowhere', 2],
    ['a log-in in plain text', 'kafka://kcm:pass-word@broker.example:9092', 2],
  ])('%s is one line, and no server', async (_what, url, code) => {
    const ended = await runToEnd('standalone', [], {
      KCM_DATA_DIR: join(stage.folder, 'wrong'),
      KCM_HTTP_PORT: '0',
      KCM_KMIP_PORT: '0',
      KCM_MESSAGING: url,
    });
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toContain('KCM_MESSAGING: ');
    expect(ended.stderr).not.toContain('pass-word');
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
