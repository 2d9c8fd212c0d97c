// Makes the topics of kafka/topics.json and their dead-letter topics at a broker that has none. For
// tests and trials: partitions as described, one replica. Plain JavaScript for Node 20.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { root } from './setup.mjs';

/** @param {string} brokers `host:port,…` @throws Error when the broker does not take them */
export async function makeTopics(brokers) {
  const { topics } = JSON.parse(await readFile(join(root, 'kafka', 'topics.json'), 'utf8'));
  const { Kafka, logLevel } = kafkajs;
  const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const wanted = topics.flatMap(({ name, partitions: numPartitions, deadLetter }) => [
      { topic: name, numPartitions },
      { topic: deadLetter, numPartitions: 1 },
    ]);
    await admin.createTopics({ topics: wanted, waitForLeaders: true });
  } finally {
    await admin.disconnect();
  }
}
