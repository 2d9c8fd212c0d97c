import { systemRandom, systemScheduler } from '@kcm/kernel';
import { deadLetterTopic, MessageTooLarge, MessagingUnavailable } from '@kcm/messaging';
import { KafkaMessaging } from '@kcm/messaging/kafka';
import { eventually, messagingContract, type MessagingFixture, MessageReader } from '@kcm/testing';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningKafka, startKafka } from '../../scripts/services/kafka.mjs';
import { administer, type Brokers, brokersOf, knowsGroups, newTopic } from '../support/kafka.js';

let dir: string;
let kafka: RunningKafka;

const told: unknown[] = [];
const connect = (brokers: Brokers = [kafka.brokers], groupSessionMs = 2_000): KafkaMessaging =>
  new KafkaMessaging({
    brokers,
    clientId: 'kcm-test',
    groupSessionMs,
    random: systemRandom,
    scheduler: systemScheduler,
    told: (error) => told.push(error),
  });

function fixtureAt(brokers: Brokers, groupSessionMs: number): MessagingFixture {
  const one = connect(brokers, groupSessionMs);
  const another = connect(brokers, groupSessionMs);
  const topics: string[] = [];
  return {
    one,
    another,
    topic: async (partitions) => {
      const topic = await newTopic(brokers, partitions);
      topics.push(topic, deadLetterTopic(topic));
      return topic;
    },
    told: () => told.splice(0),
    dispose: async () => {
      await Promise.all([one.close(), another.close()]);
      // Somebody's broker is left as it was.
      await administer(brokers, (admin) => admin.deleteTopics({ topics }));
    },
  };
}

const real = process.env['KAFKA_URL'];
if (real !== undefined && real !== '')
  describe('Kafka of somebody', () => {
    beforeAll(() => knowsGroups(brokersOf(real)), 60_000);
    // Of a broker that nobody configured for tests, no shorter silence is accepted.
    messagingContract('Kafka at KAFKA_URL', async () => fixtureAt(brokersOf(real), 6_000));
  });

const message = (topic: string, text: string | Buffer) => ({
  topic,
  key: 'k',
  id: randomUUID(),
  headers: {},
  body: Buffer.from(text),
});

// A broker of its own. Its restart comes last: what comes right after it is not asked here.
describe('Kafka 4.4.0', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kcm-kafka-'));
    kafka = await startKafka({ dir });
    await knowsGroups([kafka.brokers]);
  }, 180_000);
  afterAll(async () => {
    await kafka.stop();
    await rm(dir, { recursive: true });
  });

  messagingContract('Kafka 4.4.0', async () => fixtureAt([kafka.brokers], 2_000));

  describe('Kafka', () => {
    it('that nobody answers for is told by code, at once and not for ever', async () => {
      const nobody = connect(['127.0.0.1:1']);
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
      const topic = await newTopic([kafka.brokers], 1, { 'max.message.bytes': '2000' });
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
      const topic = await newTopic([kafka.brokers]);
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
});

const done = () => ({ kind: 'done' }) as const;
const group = (topic: string) => ({ topic, as: { kind: 'group', group: `${topic}-g` } }) as const;
