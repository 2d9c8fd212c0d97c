import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './child.js';

export interface Engines {
  /** What each of our processes is told of them. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const script = async <T>(...path: string[]): Promise<T> =>
  (await import(pathToFileURL(join(ROOT, 'scripts', ...path)).href)) as T;

/**
 * The servers of a region whose processes run apart, each a process of its own: a real Kafka in this
 * folder, a double of EventStoreDB and a stand-in for MongoDB in memory.
 */
export async function startEngines(folder: string): Promise<Engines> {
  const ledgers = 'services/eventstoredb-double.mjs';
  const { startEventStoreDouble } =
    await script<typeof import('../scripts/services/eventstoredb-double.mjs')>(ledgers);
  const mongos = 'services/mongo-standin.mjs';
  const { startMongoStandin } =
    await script<typeof import('../scripts/services/mongo-standin.mjs')>(mongos);
  const brokers = 'services/kafka.mjs';
  const { startKafka } = await script<typeof import('../scripts/services/kafka.mjs')>(brokers);
  const topics = 'lib/kafka-topics.mjs';
  const { makeTopics } = await script<typeof import('../scripts/lib/kafka-topics.mjs')>(topics);

  const [ledger, mongo, kafka] = await Promise.all([
    startEventStoreDouble(),
    startMongoStandin(),
    startKafka({ dir: folder }),
  ]);
  await makeTopics(kafka.brokers);
  const at = (database: string) => `mongodb://${mongo.address}/${database}`;
  return {
    env: {
      KCM_LEDGER: ledger.url,
      KCM_READ_MODELS: at('models'),
      KCM_VAULT: at('vault'),
      KCM_DIRECTORY: at('directory'),
      KCM_MESSAGING: `kafka://${kafka.brokers}`,
    },
    stop: async () => {
      await Promise.all([ledger.stop(), mongo.stop(), kafka.stop()]);
    },
  };
}
