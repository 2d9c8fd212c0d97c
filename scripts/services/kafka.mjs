// Brings a real Kafka broker (its jars and a logger's) from Maven Central into the user's cache and
// runs it on loopback: one node, KRaft. Needs Java 17 and Maven. Plain JavaScript for Node 20.
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../lib/say.mjs';
import { cachePath, freePort, startLogged, tail } from '../lib/server-process.mjs';

const VERSION = '4.4.0';
/** SHA-256 of every jar, by file name. */
const PINNED = JSON.parse(readFileSync(new URL('kafka-jars.json', import.meta.url), 'utf8'));
/** Without slf4j-simple every line of the broker's log vanishes. */
const WANTED = [
  ['org.apache.kafka', 'kafka_2.13', VERSION],
  ['org.slf4j', 'slf4j-simple', '1.7.36'],
];
const ATTEMPTS = 3;
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 5_000;

export const cacheFolder = () => cachePath(`kafka-${VERSION}`);

/**
 * The folder of the verified jars; downloads them when the cache lacks one or holds another file.
 * @throws Error naming the registry, or the jar that is not the pinned one
 */
export async function ensureKafka() {
  const folder = cacheFolder();
  if ((await wrongJar(folder)) === null) return folder;
  say(`bringing Kafka ${VERSION} from Maven Central (43 MB, once)`);
  await mkdir(join(folder, '..'), { recursive: true });
  const work = await mkdtemp(`${folder}-`);
  try {
    await download(work);
    const wrong = await wrongJar(join(work, 'jars'));
    if (wrong !== null) throw new Error(`Kafka ${VERSION} from Maven Central: ${wrong}`);
    await rm(folder, { recursive: true, force: true });
    // Two processes may do this at once: whichever renames last, the jars are the verified ones.
    await rename(join(work, 'jars'), folder).catch(async (error) => {
      if ((await wrongJar(folder)) !== null) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

async function download(work) {
  const dependencies = WANTED.map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>` +
      `<version>${version}</version></dependency>`,
  );
  await writeFile(
    join(work, 'pom.xml'),
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
      '<groupId>kcm</groupId><artifactId>kafka</artifactId><version>1</version>' +
      `<packaging>pom</packaging><dependencies>${dependencies.join('')}</dependencies></project>`,
  );
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
  const where = [`-DoutputDirectory=${join(work, 'jars')}`, `-Dmaven.repo.local=${work}/repo`];
  const args = ['-q', '-B', goal, '-DincludeScope=runtime', ...where];
  for (let attempt = 1; ; attempt += 1) {
    const done = spawnSync('mvn', args, { cwd: work });
    if (done.status === 0) return;
    const said = done.error === undefined ? String(done.stdout) : String(done.error.message);
    const why = said.split('\n').find((line) => line.includes('ERROR')) ?? said.trim();
    if (attempt === ATTEMPTS)
      throw new Error(`Maven Central did not give Kafka in ${ATTEMPTS} attempts: ${why}`);
    say(`Maven Central did not give Kafka (${why}); trying again in ${attempt * 3} s`);
    await sleep(attempt * 3_000);
  }
}

/** What is wrong with the jars of a folder: one that lacks, one too many, another content. */
async function wrongJar(folder) {
  if (!existsSync(folder)) return 'it is not there';
  const there = (await readdir(folder)).sort();
  const wanted = Object.keys(PINNED);
  const other = there.find((name) => PINNED[name] === undefined);
  if (other !== undefined) return `${other} is not pinned`;
  const lacking = wanted.find((name) => !there.includes(name));
  if (lacking !== undefined) return `${lacking} is not there`;
  for (const name of wanted) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk);
    if (hash.digest('hex') !== PINNED[name]) return `${name} has another SHA-256 than the pinned`;
  }
  return null;
}

/**
 * Starts a broker on 127.0.0.1; `dir` keeps its data, configuration and log. With the `port` of one
 * that was ended, and its `dir`, it is the same broker again. `secured` gives it more doors, with
 * TLS, certificates of its clients, and log-ins by SCRAM. `advertised` is the port that it sends its
 * clients to: of what stands before it.
 * @throws Error with the end of the broker's log when it does not come up
 */
export async function startKafka({ dir, port, secured = null, advertised = null }) {
  const jars = await ensureKafka();
  await mkdir(dir, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(jars, dir, port ?? (await freePort()), { secured, advertised });
    } catch (error) {
      // Between finding a free port and taking it another process may have taken it.
      if (attempt === ATTEMPTS || port !== undefined) throw error;
      await rm(join(dir, 'data'), { recursive: true, force: true });
    }
  }
}

async function startOnce(jars, dir, port, { secured, advertised }) {
  const config = join(dir, 'server.properties');
  const doors = secured === null ? [] : await doorsOf();
  if (!existsSync(join(dir, 'data', 'meta.properties'))) {
    const { text, users } = await security(dir, doors, secured);
    // It may hold keys: nobody else on the machine reads them.
    const open = { port, advertised: advertised ?? port, controller: await freePort(), doors };
    await writeFile(config, properties(dir, open) + text, { mode: 0o600 });
    format(jars, config, users);
  }
  const logFile = join(dir, 'server.log');
  const lean = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  const args = [...lean, '-cp', `${jars}/*`, 'kafka.Kafka', config];
  const started = { logFile, graceMs: STOP_MS_MAX, cwd: dir };
  const { child, stop } = await startLogged('java', args, started);
  try {
    await ready(port, logFile, child);
  } catch (error) {
    await stop();
    throw new Error(`Kafka did not start: ${error.message}\n${await tail(logFile)}`, {
      cause: error,
    });
  }
  const of = Object.fromEntries(doors.map(({ name, at }) => [name, `127.0.0.1:${at}`]));
  return { brokers: `127.0.0.1:${port}`, doors: of, port, pid: child.pid, stop };
}

/** One node is broker and controller; nothing waits for a second one. No topic makes itself. */
const properties = (
  dir,
  { port, advertised, controller, doors },
) => `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
listeners=${listeners(port, doors)},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=${listeners(advertised, doors)}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=${[
  'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  ...doors.map(({ name, protocol }) => `${name}:${protocol}`),
].join(',')}
log.dirs=${join(dir, 'data')}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
min.insync.replicas=1
`;

const listeners = (port, doors) =>
  [
    `PLAINTEXT://127.0.0.1:${port}`,
    ...doors.map(({ name, at }) => `${name}://127.0.0.1:${at}`),
  ].join(',');

/** MTLS wants a certificate of its clients, SCRAM a log-in over TLS, BARE one in plain text. */
const DOORS = { MTLS: 'SSL', SCRAM: 'SASL_SSL', BARE: 'SASL_PLAINTEXT' };
const MECHANISMS = ['SCRAM-SHA-512', 'SCRAM-SHA-256'];

async function doorsOf() {
  const doors = [];
  for (const [name, protocol] of Object.entries(DOORS))
    doors.push({ name, protocol, at: await freePort() });
  return doors;
}

/** PEM stores of the broker, and its users for the format of its storage. */
async function security(dir, doors, secured) {
  if (secured === null) return { text: '', users: [] };
  const { ca, certificate, privateKey, users } = secured;
  const store = join(dir, 'broker.pem');
  const trust = join(dir, 'ca.pem');
  await writeFile(store, privateKey + certificate, { mode: 0o600 });
  await writeFile(trust, ca);
  const lines = [
    ...['keystore', 'truststore'].map((name) => `ssl.${name}.type=PEM`),
    `ssl.keystore.location=${store}`,
    `ssl.truststore.location=${trust}`,
    `sasl.enabled.mechanisms=${MECHANISMS.join(',')}`,
    'listener.name.mtls.ssl.client.auth=required',
  ];
  for (const { name, protocol } of doors)
    if (protocol.startsWith('SASL'))
      for (const mechanism of MECHANISMS)
        lines.push(`listener.name.${name.toLowerCase()}.${mechanism.toLowerCase()}.${JAAS}`);
  const added = users.map(({ mechanism, user, password }) => [
    '--add-scram',
    `${mechanism.toUpperCase()}=[name=${user},password=${password}]`,
  ]);
  return { text: `${lines.join('\n')}\n`, users: added.flat() };
}
const JAAS = 'sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;';

function format(jars, config, users) {
  const id = randomBytes(16).toString('base64url');
  const tool = ['-cp', `${jars}/*`, 'kafka.tools.StorageTool'];
  const done = spawnSync('java', [...tool, 'format', '-t', id, '-c', config, ...users]);
  if (done.error !== undefined)
    throw new Error(`Kafka needs Java 17 or newer: ${done.error.message}`);
  if (done.status !== 0)
    throw new Error(`Kafka's storage cannot be formatted: ${String(done.stderr).trim()}`);
}

async function ready(port, logFile, child) {
  const until = Date.now() + START_MS_MAX;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
    const said = await readFile(logFile, 'utf8').catch(() => '');
    if (said.includes('Kafka Server started') && (await listens(port))) return;
    if (Date.now() > until) throw new Error(`it did not answer within ${START_MS_MAX / 1000} s`);
    await sleep(100);
  }
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
