import { randomUUID } from 'node:crypto';
import type { OneOrMore } from '@kcm/kernel';
import { deadLetterTopic } from '@kcm/messaging';
import { eventually } from '@kcm/testing';
import { type Admin, Kafka, logLevel } from 'kafkajs';

/** `host:port` of each. */
export type Brokers = OneOrMore<string>;

/** Of `kafka://host:port,…`. @throws Error: another address, or one with a user, who has no door */
export function brokersOf(url: string): Brokers {
  const [, hosts] = /^kafka:\/\/([^/?@]+)$/.exec(url) ?? [];
  const [first, ...others] = hosts?.split(',') ?? [];
  if (first === undefined) throw new Error('KAFKA_URL must be kafka://host:port,… without a user');
  return [first, ...others];
}

/** What only who runs the brokers does. */
export async function administer(
  brokers: Brokers,
  work: (admin: Admin) => Promise<unknown>,
): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Of one test's own, with its dead letters, as whoever runs the brokers makes it. @returns its name */
export async function newTopic(
  brokers: Brokers,
  partitions = 1,
  config: Readonly<Record<string, string>> = {},
): Promise<string> {
  const topic = `kcm.test.${randomUUID()}`;
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await administer(brokers, (admin) =>
    admin.createTopics({
      waitForLeaders: true,
      topics: [
        { topic, numPartitions: partitions, configEntries },
        { topic: deadLetterTopic(topic), numPartitions: 1 },
      ],
    }),
  );
  return topic;
}

/**
 * A broker that had no group yet makes the topic of their offsets first, and sends groups away
 * until it has loaded it. Resolves when it has, for groups of some names.
 */
export const knowsGroups = (brokers: Brokers): Promise<void> =>
  administer(brokers, async (admin) => {
    for (let n = 0; n < 16; n += 1)
      await eventually(() =>
        admin.fetchOffsets({ groupId: `kcm.test.${n}` }).then(
          () => true,
          () => false,
        ),
      );
  });
