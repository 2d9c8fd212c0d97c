import { systemRandom, systemScheduler } from '@kcm/kernel';
import { deadLetterTopic, MessageTooLarge, MessagingUnavailable } from '@kcm/messaging';
import { KafkaMessaging } from '@kcm/messaging/kafka';
import { eventually, messagingContract, MessageReader } from '@kcm/testing';
import { Kafka, logLevel } from 'kafkajs';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningKafka, startKafka } from '../../scripts/services/kafka.mjs';

let dir: string;
let kafka: RunningKafka;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kcm-kafka-'));
  kafka = await startKafka({ dir });
}, 180_000);
afterAll(async () => {
  await kafka.stop();
  await rm(dir, { recursive: true });
});

const told: unknown[] = [];
const connect = (brokers = kafka.brokers): KafkaMessaging =>
  new KafkaMessaging({
    brokers: [brokers],
    clientId: 'kcm-test',
    groupSessionMs: 2_000,
    random: systemRandom,
    scheduler: systemScheduler,
    told: (error) => told.push(error),
  });

/** As whoever runs the broker does it. */
async function newTopic(partitions: number, config: Record<string, string> = {}): Promise<string> {
  const topic = `kcm.test.${randomUUID()}`;
  const admin = new Kafka({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      { topic, numPartitions: partitions, replicationFactor: 1, configEntries },
      { topic: deadLetterTopic(topic), numPartitions: 1, replicationFactor: 1 },
    ],
  });
  await admin.disconnect();
  return topic;
}

messagingContract('Kafka 4.4.0', async () => {
  const one = connect();
  const another = connect();
  return {
    one,
    another,
    topic: newTopic,
    told: () => told.splice(0),
    dispose: async () => {
      await Promise.all([one.close(), another.close()]);
    },
  };
});

const message = (topic: string, text: string | Buffer) => ({
  topic,
  key: 'k',
  id: randomUUID(),
  headers: {},
  body: Buffer.from(text),
});

describe('Kafka', () => {
  it('that nobody answers for is told by code, at once and not for ever', async () => {
    const nobody = connect('127.0.0.1:1');
    const topic = 'kcm.test';
    const calls = [
      () => nobody.publish([message(topic, 'x')]),
      () => nobody.list(topic, null, 1),
      () => new MessageReader(nobody, group(topic), () => ({ kind: 'done' })).ended,
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(MessagingUnavailable);
    await nobody.close();
  });

  it('that finds a message too large is told by code, and what comes next is stored', async () => {
    const topic = await newTopic(1, { 'max.message.bytes': '2000' });
    const messaging = connect();
    await messaging.publish([message(topic, 'before')]);
    const large = messaging.publish([message(topic, Buffer.alloc(5_000))]);
    await expect(large).rejects.toThrow(MessageTooLarge);
    await messaging.publish([message(topic, 'after')]);
    const reader = await new MessageReader(messaging, group(topic), done).until(2);
    expect(reader.seen.map(({ body }) => Buffer.from(body).toString())).toEqual([
      'before',
      'after',
    ]);
    await reader.stop();
    await messaging.close();
  });

  it('that goes and comes back is gone on with: consumers by themselves, nothing acknowledged lost', async () => {
    const topic = await newTopic(1);
    const messaging = connect();
    const own = { topic, as: { kind: 'own', offsets: new Map() } } as const;
    const readers = [group(topic), own].map((as) => new MessageReader(messaging, as, done));
    await messaging.publish([message(topic, '0')]);
    for (const reader of readers) await reader.until(1);
    const { port } = kafka;
    await kafka.stop();
    const refused = messaging.publish([message(topic, 'refused')]);
    await expect(refused).rejects.toThrow(MessagingUnavailable);
    kafka = await startKafka({ dir, port });
    await eventually(() =>
      messaging.publish([message(topic, '1')]).then(
        () => true,
        () => false,
      ),
    );
    for (const { seen } of readers) {
      const texts = () => seen.map(({ body }) => Buffer.from(body).toString());
      await eventually(() => texts().includes('1'));
      expect(texts()[0]).toBe('0');
    }
    expect(told.length).toBeGreaterThan(0);
    await Promise.all(readers.map((reader) => reader.stop()));
    await messaging.close();
  }, 60_000);
});

const done = () => ({ kind: 'done' }) as const;
const group = (topic: string) => ({ topic, as: { kind: 'group', group: `${topic}-g` } }) as const;
