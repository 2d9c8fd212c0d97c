import { systemRandom, systemScheduler } from '@kcm/kernel';
import { MessagingUnavailable } from '@kcm/messaging';
import { KafkaMessaging } from '@kcm/messaging/kafka';
import { MessageReader } from '@kcm/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningKafka, startKafka } from '../../scripts/services/kafka.mjs';
import { knowsGroups, newTopic } from '../support/kafka.js';
import { DeafWire } from '../support/deaf-wire.js';

let dir: string;
let wire: DeafWire;
let kafka: RunningKafka;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kcm-kafka-disturbed-'));
  wire = await DeafWire.open();
  kafka = await startKafka({ dir, advertised: wire.port });
  wire.leadTo(kafka.port);
  await knowsGroups([kafka.brokers]);
}, 180_000);
afterAll(async () => {
  await kafka.stop();
  await wire.close();
  await rm(dir, { recursive: true });
});

const connect = (): KafkaMessaging =>
  new KafkaMessaging({
    brokers: [`127.0.0.1:${wire.port}`],
    clientId: 'kcm-test',
    groupSessionMs: 2_000,
    random: systemRandom,
    scheduler: systemScheduler,
    told: () => undefined,
  });

describe('Kafka over a wire that loses answers', () => {
  it('that stored what it could not acknowledge takes what comes next for new: nothing acknowledged is lost', async () => {
    const topic = await newTopic([kafka.brokers]);
    const messaging = connect();
    const publish = (id: string) => messaging.publish([message(topic, id)]);
    await publish('before');
    wire.deaf = true;
    await expect(publish('unsure')).rejects.toThrow(MessagingUnavailable);
    wire.deaf = false;
    await publish('after');
    await publish('unsure');
    const reader = await new MessageReader(messaging, group(topic), done).until(4);
    expect(reader.seen.map(({ id }) => id)).toEqual(['before', 'unsure', 'after', 'unsure']);
    await reader.stop();
    await messaging.close();
  }, 60_000);

  it('that acknowledges at the second try has stored it once', async () => {
    const topic = await newTopic([kafka.brokers]);
    const messaging = connect();
    await messaging.publish([message(topic, '0')]);
    wire.loseOneAnswer();
    await messaging.publish([message(topic, '1')]);
    await messaging.publish([message(topic, '2')]);
    const reader = await new MessageReader(messaging, group(topic), done).until(3);
    expect(wire.lost).toBeGreaterThan(0);
    expect(reader.seen.map(({ id, offset }) => [id, offset])).toEqual([
      ['0', '0'],
      ['1', '1'],
      ['2', '2'],
    ]);
    await reader.stop();
    await messaging.close();
  }, 60_000);
});

const done = () => ({ kind: 'done' }) as const;
const group = (topic: string) => ({ topic, as: { kind: 'group', group: `${topic}-g` } }) as const;
const message = (topic: string, id: string) => ({
  topic,
  key: 'k',
  id,
  headers: {},
  body: Buffer.from(id),
});
