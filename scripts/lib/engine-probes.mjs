// Which servers `npm run verify:engines` asks for, and who answers there. Each probe is one request
// by the client that the product uses. Plain JavaScript for Node 20; the clients are installed.
const MONGO_SUITES = {
  'read models': 'test/services/read-models-mongodb.spec.ts',
  vault: 'test/services/vault-mongodb.spec.ts',
  'both, killed at every write': 'test/crash/mongodb-crash.spec.ts',
};
const ANSWER_MS_MAX = 10_000;

/** `tests` begins the names of the tests that ask the server of the variable, and no stand-in. */
export const ENGINES = [
  {
    name: 'EventStoreDB',
    variable: 'EVENTSTORE_URL',
    standard: 'esdb://127.0.0.1:2113?tls=false',
    client: '@eventstore/db-client',
    suites: { ledger: 'test/contract/ledger-eventstoredb.spec.ts' },
    tests: 'EventStoreDB, a real server',
    probe: probeEventStore,
  },
  {
    name: 'MongoDB',
    variable: 'MONGODB_URL',
    standard: 'mongodb://127.0.0.1:27017',
    client: 'mongodb',
    suites: MONGO_SUITES,
    tests: 'MongoDB at MONGODB_URL',
    probe: probeMongo,
  },
  {
    name: 'Kafka',
    variable: 'KAFKA_URL',
    standard: 'kafka://127.0.0.1:9092',
    client: 'kafkajs',
    suites: { messaging: 'test/services/messaging-kafka.spec.ts' },
    tests: 'Kafka at KAFKA_URL',
    probe: probeKafka,
  },
];

/**
 * What answers at the address: the version that it says (null: its protocol has none) and whether
 * it is one of our stand-ins.
 * @returns {Promise<{reached: boolean, version: string | null, standIn: boolean, why?: string}>}
 */
export async function ask({ probe }, url) {
  let late;
  const silent = new Promise((_, reject) => {
    const why = new Error(`no answer within ${ANSWER_MS_MAX / 1_000} s`);
    late = setTimeout(() => reject(why), ANSWER_MS_MAX);
  });
  try {
    return { reached: true, ...(await Promise.race([probe(url), silent])) };
  } catch (error) {
    const [, who = ''] = /\/\/([^@/]*@)/.exec(url) ?? [];
    const said = String(error?.message ?? error).split('\n')[0];
    const why = who === '' ? said : said.replaceAll(who, '');
    return { reached: false, version: null, standIn: false, why };
  } finally {
    clearTimeout(late);
  }
}

/** Host and port, or several; never who we are there. */
export const addressOf = (url) => /:\/\/(?:[^@/]*@)?([^/?]*)/.exec(url)?.[1] ?? '';

async function probeEventStore(url) {
  const { EventStoreDBClient } = await import('@eventstore/db-client');
  const client = EventStoreDBClient.connectionString(url);
  try {
    const { serverVersion } = await client.capabilities;
    return { version: serverVersion, standIn: serverVersion === 'double' };
  } finally {
    await client.dispose();
  }
}

async function probeMongo(url) {
  const { MongoClient } = await import('mongodb');
  const client = new MongoClient(url, { serverSelectionTimeoutMS: ANSWER_MS_MAX / 2 });
  try {
    const { version, gitVersion } = await client.db('admin').command({ buildInfo: 1 });
    // A server of MongoDB's makers says which commit it is of.
    return { version, standIn: gitVersion === undefined };
  } finally {
    await client.close();
  }
}

async function probeKafka(url) {
  const { Kafka, logLevel } = await import('kafkajs');
  const kafka = new Kafka({
    brokers: addressOf(url).split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 1 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    await admin.describeCluster();
    return { version: null, standIn: false };
  } finally {
    await admin.disconnect();
  }
}
