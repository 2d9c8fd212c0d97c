// A stand-in for MongoDB: mongo-java-server from Maven, in memory, on loopback. No registry has a
// MongoDB server; this one has single-document writes, unique indexes and cursors, and none of
// transactions, change streams, replication or a disk. Plain JavaScript for Node 20.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../lib/say.mjs';
import { cachePath } from '../lib/server-process.mjs';

const VERSION = '1.47.0';
/** SHA-256 of each library that it is made of. */
const PINNED = {
  'mongo-java-server-1.47.0.jar':
    '37fc487ab0ef924dee0acdc62e2de1ef1daffa7eb2fdf9b56e5d2f3bdc2b909b',
  'mongo-java-server-core-1.47.0.jar':
    '9a34c9ad6ac6261906295481838256033ec1efc8c93a3e3828e5d47a006b0bd4',
  'mongo-java-server-memory-backend-1.47.0.jar':
    '82864f8a2ede1514f64c2cd3a70e8022c259eb3d78975cfa208c1668ac1f12bb',
  'netty-buffer-4.2.2.Final.jar':
    '4820eeb2d3db269b20b30711e3d7d21979664249aaf10fc67f90dee935810747',
  'netty-codec-4.2.2.Final.jar': '6a4ea3cedc831a377e20e32da5df4d2a47b954810e941138e3358e313db3a7f9',
  'netty-codec-base-4.2.2.Final.jar':
    '76987614ccb2fda7d3292b69ba5b61351f30e91bf5c7d8fa4b51bc32c9f67456',
  'netty-codec-compression-4.2.2.Final.jar':
    '005734e20aceb5e2c030033f7e042c81ee444497efd110cfca8de445642652ac',
  'netty-codec-marshalling-4.2.2.Final.jar':
    'ae8bb7a077ca02357c922e3abc1acf1bf191d5e2776721d69cbca50a16281096',
  'netty-codec-protobuf-4.2.2.Final.jar':
    'cfe0c7e6e68d83480a639b533eb7edaaf3252cfae8b73d0e362859673a4f9d97',
  'netty-common-4.2.2.Final.jar':
    '5d022f3acad74cb0f195f60213500a4000d1340e5e941edaf1a0e756686b9bae',
  'netty-handler-4.2.2.Final.jar':
    'd4ef582c78125457baa0cfa52992b5fb1bb9172d1a2c03b726e8b26e17d3fe2c',
  'netty-resolver-4.2.2.Final.jar':
    'fa7841ffe2e39d52251814fb8560d6936b10ae7c67453ee50426b83fd5170ba0',
  'netty-transport-4.2.2.Final.jar':
    '116d766a1af4722fe76a4cdaed969644985d44e08ec1337d2dbab697dd109603',
  'netty-transport-native-unix-common-4.2.2.Final.jar':
    'aa8821a7ea2ca47f62740bd1f37d67deb97824cc77e76dde6ae2c439a923fc9d',
  'slf4j-api-2.0.17.jar': '7b751d952061954d5abfed7181c1f645d336091b679891591d63329c622eb832',
};
const SOURCE = fileURLToPath(new URL('mongo-standin/MongoStandin.java', import.meta.url));
const ATTEMPTS = 3;
const START_MS_MAX = 30_000;

/**
 * The folder with the verified libraries and the compiled main; brings them when the cache lacks
 * them. @returns {Promise<string>} @throws Error naming the registry when they cannot be had
 */
export async function ensureMongoStandin() {
  const source = await readFile(SOURCE);
  const cache = cachePath();
  // Another main is another program.
  const folder = join(cache, `mongo-standin-${VERSION}-${sha256(source).slice(0, 12)}`);
  if ((await problemOf(join(folder, 'lib'))) === null && existsSync(mainOf(folder))) return folder;
  say(`bringing mongo-java-server ${VERSION} from Maven (3 MB, once)`);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'mongo-standin-'));
  try {
    await download(work);
    must('javac', ['-cp', join(work, 'lib', '*'), '-d', join(work, 'main'), SOURCE]);
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder).catch((error) => {
      // Another process was first: what it brought was verified alike.
      if (!existsSync(mainOf(folder))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

const mainOf = (folder) => join(folder, 'main', 'MongoStandin.class');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

async function download(work) {
  await writeFile(
    join(work, 'pom.xml'),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>kcm</groupId><artifactId>standin</artifactId><version>1</version>
<packaging>pom</packaging><dependencies><dependency><groupId>de.bwaldvogel</groupId>
<artifactId>mongo-java-server</artifactId><version>${VERSION}</version>
</dependency></dependencies></project>\n`,
  );
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies';
  const args = ['-q', '-B', '-f', join(work, 'pom.xml'), goal, '-DincludeScope=runtime'];
  for (let attempt = 1; ; attempt += 1) {
    const done = spawnSync('mvn', [...args, `-DoutputDirectory=${join(work, 'lib')}`]);
    const why =
      done.status === 0
        ? await problemOf(join(work, 'lib'))
        : (String(done.stdout ?? done.error)
            .split('\n')
            .find((line) => line.includes('ERROR')) ?? String(done.error ?? `exit ${done.status}`));
    if (why === null) return;
    if (attempt === ATTEMPTS)
      throw new Error(
        `Maven did not give mongo-java-server ${VERSION} in ${ATTEMPTS} attempts: ${why}`,
      );
    say(`Maven did not give mongo-java-server (${why}); trying again in ${attempt * 3} s`);
    await rm(join(work, 'lib'), { recursive: true, force: true });
    await sleep(attempt * 3_000);
  }
}

/** What is wrong with the libraries of a folder; null: they are the pinned ones and no other. */
async function problemOf(folder) {
  const names = await readdir(folder).catch(() => []);
  for (const name of new Set([...names, ...Object.keys(PINNED)])) {
    if (PINNED[name] === undefined) return `${name} is not a pinned library`;
    if (!names.includes(name)) return `${name} is missing`;
    if (sha256(await readFile(join(folder, name))) !== PINNED[name])
      return `${name} has another SHA-256 than the pinned one`;
  }
  return null;
}

function must(command, args) {
  const done = spawnSync(command, args);
  if (done.status !== 0)
    throw new Error(`${command} failed: ${String(done.stderr ?? done.error).trim()}`);
}

/**
 * Starts a stand-in on a free port of 127.0.0.1; it ends with this process at the latest.
 * `wire` and `version` are what it says that it speaks and is.
 * @throws Error when it does not come up
 */
export async function startMongoStandin({ wire = 13, version = '5.0.0' } = {}) {
  const folder = await ensureMongoStandin();
  const path = [join(folder, 'main'), join(folder, 'lib', '*')].join(delimiter);
  const vm = ['-Xms32m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  const args = [...vm, '-cp', path, 'MongoStandin', String(wire), version];
  const child = spawn('java', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let told = '';
  child.stderr.on('data', (chunk) => (told = (told + chunk).slice(-2_000)));
  child.stdin.on('error', () => undefined);
  const ended = new Promise((resolve) => {
    child.on('exit', resolve);
    child.on('error', (error) => {
      told += error.message;
      resolve(null);
    });
  });
  const stop = async () => {
    child.stdin.end();
    const late = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await ended;
    clearTimeout(late);
  };
  const port = await new Promise((resolve) => {
    const late = setTimeout(() => resolve(null), START_MS_MAX);
    const settle = (value) => {
      clearTimeout(late);
      resolve(value);
    };
    child.stdout.on('data', (chunk) => settle(/^port (\d+)$/m.exec(String(chunk))?.[1] ?? null));
    void ended.then(() => settle(null));
  });
  if (port === null) {
    await stop();
    throw new Error(`the stand-in for MongoDB did not start: ${told}`);
  }
  return { address: `127.0.0.1:${port}`, pid: child.pid, stop };
}
