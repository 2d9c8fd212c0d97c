/**
 * What the way to Kafka and from it adds: the relay from a SQLite ledger beside a bare kafkajs
 * producer that sends the same batches, and a member of a group beside a bare kafkajs consumer. The
 * broker is a real one, on the same cores.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { Relay, TOPICS } from '../../dist/libs/application/index.js';
import { systemRandom, systemScheduler } from '../../dist/libs/kernel/index.js';
import { openSqliteLedger } from '../../dist/libs/ledger/sqlite/index.js';
import { KafkaMessaging } from '../../dist/libs/messaging/kafka/index.js';
import { openSqliteReadModels } from '../../dist/libs/read-models/sqlite/index.js';
import { startKafka } from '../../scripts/services/kafka.mjs';
import { interleaved, measured, medians, ratioOf, sleep } from './lib/measure.mjs';
import { against, base, perSecond, told } from './lib/report.mjs';
import { newEvent, newStream } from './lib/samples.mjs';

const ROUNDS = 5;
const EVENTS = 20_000;
const PER_APPEND = 50;
const PARTITIONS = 12;
/** Holds the relay's messages so many times, for those who read: once is read too soon. */
const READ = 'bench.read';
const TIMES = 5;
const READS = EVENTS * TIMES;
const GOAL = ['≥', 0.4];
const PORTS = { random: systemRandom, scheduler: systemScheduler };
/** What both ask of the broker. */
const WRITE = { acks: -1, timeout: 10_000 };
const FETCH = { maxWaitTimeInMs: 250, sessionTimeout: 10_000, allowAutoTopicCreation: false };

/** Of the thread that does the work: V8's helpers took 1 to 12 µs an event more, of either. */
function threadCpuMicros() {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
const turnOf = (events, run) => measured(events, run, threadCpuMicros);

async function filled(folder) {
  const ledger = await openSqliteLedger({ file: join(folder, 'ledger.db'), ...PORTS });
  for (let done = 0; done < EVENTS; done += PER_APPEND)
    await ledger.append(newStream(), 'noStream', Array.from({ length: PER_APPEND }, newEvent));
  return ledger;
}

/** Sends the whole ledger to `publisher` with checkpoints of its own. @returns what it took */
async function relayed(ledger, folder, publisher) {
  const checkpoints = await openSqliteReadModels({ file: join(folder, `${randomUUID()}.db`) });
  let failure = null;
  const relay = new Relay({
    ...PORTS,
    ledger,
    checkpoints,
    publisher,
    region: 'local',
    // The samples are of no catalogue.
    catalog: { upcast: (event) => event },
    report: (_name, error) => (failure = error),
  });
  const head = await ledger.head();
  try {
    return await turnOf(EVENTS, async () => {
      relay.start();
      while (relay.health().some(({ position }) => position !== head)) {
        if (failure !== null) throw failure;
        await sleep(1);
      }
    });
  } finally {
    await relay.stop();
    await checkpoints.close();
  }
}

/** The batches that the relay publishes, as a producer takes them. */
async function batchesOf(ledger, folder) {
  const batches = [];
  const publish = async (batch) => {
    const messages = batch.map(({ key, id, headers, body }) => ({
      key,
      headers: { ...headers, 'kcm-id': id },
      value: Buffer.from(body),
    }));
    batches.push({ topic: batch[0].topic, messages });
  };
  await relayed(ledger, folder, { publish });
  return batches;
}

const openMessaging = (brokers) => {
  const failed = (error) => console.error(`messaging: ${error.message}`);
  return new KafkaMessaging({ brokers: [brokers], clientId: 'kcm-bench', ...PORTS, told: failed });
};

async function ours(brokers, use) {
  const messaging = openMessaging(brokers);
  try {
    return await use(messaging);
  } finally {
    await messaging.close();
  }
}
async function bare(client, use) {
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.disconnect();
  }
}

/** Counts what is read; `all` resolves with the last. The clock starts when it is given messages. */
function reading() {
  const given = Promise.withResolvers();
  const all = Promise.withResolvers();
  let left = READS;
  const took = (count) => {
    left -= count;
    if (left <= 0) all.resolve();
  };
  const turn = async () => {
    await given.promise;
    const got = await turnOf(READS, () => all.promise);
    if (left !== 0) throw new Error(`${-left} messages were read again`);
    return got;
  };
  return { given: () => given.resolve(), took, turn, failed: all.reject };
}

const readOurs = (brokers) =>
  ours(brokers, async (messaging) => {
    const { given, took, turn, failed } = reading();
    const end = new AbortController();
    const as = { kind: 'group', group: `bench.${randomUUID()}` };
    const handle = async (batch) => {
      took(batch.length);
      return batch.map(() => ({ kind: 'done' }));
    };
    const run = messaging.run({ topic: READ, as, onGiven: given }, handle, end.signal);
    run.catch(failed);
    const got = await turn();
    end.abort();
    await run;
    return got;
  });

const readBare = (kafka) =>
  bare(kafka.consumer({ groupId: `bench.${randomUUID()}`, ...FETCH }), async (consumer) => {
    const { given, took, turn } = reading();
    consumer.on(consumer.events.GROUP_JOIN, given);
    await consumer.subscribe({ topics: [READ], fromBeginning: true });
    await consumer.run({ eachBatch: async ({ batch }) => took(batch.messages.length) });
    return turn();
  });

const writeBare = (kafka, batches, topic) =>
  bare(kafka.producer({ idempotent: true, allowAutoTopicCreation: false }), (producer) =>
    turnOf(EVENTS, async () => {
      for (const { messages } of batches) await producer.send({ topic, messages, ...WRITE });
    }),
  );

async function makeTopics(kafka) {
  const names = [...Object.values(TOPICS).map(({ name }) => name), READ];
  const topics = names.map((topic) => ({ topic, numPartitions: PARTITIONS }));
  await bare(kafka.admin(), (admin) => admin.createTopics({ waitForLeaders: true, topics }));
}

async function figures(brokers, folder) {
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  await makeTopics(kafka);
  const ledger = await filled(folder);
  try {
    const batches = await batchesOf(ledger, folder);
    for (let n = 0; n < TIMES; n += 1) await writeBare(kafka, batches, READ);
    const relay = (messaging) => relayed(ledger, folder, messaging);
    const connected = async (messaging) => {
      await messaging.connect({ publishes: true });
      return relay(messaging);
    };
    return await interleaved(ROUNDS, {
      bareWrite: () => writeBare(kafka, batches, TOPICS.events.name),
      relay: () => ours(brokers, connected),
      bareRead: () => readBare(kafka),
      read: () => readOurs(brokers),
    });
  } finally {
    await ledger.close();
  }
}

export async function run() {
  // On the disk of the project: the temporary folder may be memory.
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  let broker = null;
  try {
    broker = await startKafka({ dir: join(folder, 'kafka') });
    return shown(await figures(broker.brokers, folder));
  } finally {
    await broker?.stop();
    rmSync(folder, { recursive: true });
  }
}

function shown(seen) {
  const of = medians(seen);
  const bareRow = (what, name) => base(what, perSecond(of[name].perSecond), of[name].cpuMicros);
  const beside = (what, name, other) =>
    against('P10', what, GOAL, {
      seen: perSecond(of[name].perSecond),
      ratio: ratioOf(seen, other, name, 'cpuMicros'),
      cpuMicros: of[name].cpuMicros,
    });
  const wall = (name, other) => ratioOf(seen, name, other);
  return told({
    name: 'relay',
    rounds: ROUNDS,
    rows: [
      bareRow('bare kafkajs producer, the same batches', 'bareWrite'),
      beside('the relay, ledger → Kafka: CPU rate', 'relay', 'bareWrite'),
      bareRow('bare kafkajs consumer', 'bareRead'),
      beside('a member of a group: CPU rate', 'read', 'bareRead'),
    ],
    notShown: [
      'what a consumer does with a message: its check, its order, its effect in one commit',
      'brokers of a cluster: one node on the same cores acknowledges alone',
      "CPU time of the broker, of V8's helper threads and of the relay's commit for each 256 events",
    ],
    figures: { of, ofTime: { write: wall('relay', 'bareWrite'), read: wall('read', 'bareRead') } },
  });
}
