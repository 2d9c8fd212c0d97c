/**
 * What the Edge adds to the cipher: 1 KiB records through the data plane in process (cached data key,
 * and one for each record) and over a Unix socket, beside a bare createCipheriv loop with a KeyObject.
 * Rounds are interleaved, so that a slow spell of the machine meets all of them.
 */
import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Secret } from '../../dist/libs/crypto/index.js';
import {
  DataPlane,
  EdgeApi,
  EdgeServer,
  GcWitness,
  LeaseKeeper,
  PooledRandom,
  SERVER_LIMITS,
  UsageLedger,
} from '../../dist/libs/edge/index.js';
import { LeaseClock, systemClock, systemRandom } from '../../dist/libs/kernel/index.js';

const ROUNDS = 7;
const OPERATIONS = { bare: 40_000, cached: 40_000, fresh: 20_000, one: 4_000, sixteen: 16_000 };
const RECORD = randomBytes(1024);
const now = () => systemClock.monotonicMs();

/** A Core that grants: the leases are real, the L1 behind them is not. */
const granting = (off) => ({
  lease: async (tenant) => ({
    ok: true,
    uid: `${tenant}/l3-0123456789ab/1`,
    key: 'l3-0123456789ab',
    version: 1,
    seconds: 300,
    access: 'open',
    mayProtect: true,
    term: 1,
    epoch: 1,
    grantId: '0b8c8f3e-8d3a-5f0e-9a0b-1c2d3e4f5a6b',
    policy: { ttlSeconds: 300, maxUses: 2 ** 40, maxAgeSeconds: 300, off },
    l3: Secret.own(randomBytes(32)),
  }),
});

function plane(off) {
  const clock = new LeaseClock(systemClock);
  const random = new PooledRandom(systemRandom);
  const keeper = new LeaseKeeper({
    core: granting(off),
    clock,
    random,
    witness: new GcWitness(),
    now,
    allocation: 2 ** 40,
    onAlarm: () => undefined,
  });
  setInterval(() => clock.tick(), 100).unref();
  const usage = new UsageLedger('bench', () => systemClock.wallMs());
  return { plane: new DataPlane('bench', keeper, usage), clock, random };
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function measured(operations, run) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const latencies = await run();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const sorted = latencies?.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.floor(sorted.length * share)];
  return {
    perSecond: operations / seconds,
    cpuMicros: (user + system) / operations,
    ...(sorted === undefined ? {} : { p50Ms: at(0.5), p99Ms: at(0.99) }),
  };
}

function bare() {
  const key = createSecretKey(randomBytes(32));
  const random = new PooledRandom(systemRandom);
  const aad = randomBytes(64);
  for (let n = 0; n < OPERATIONS.bare; n += 1) {
    const cipher = createCipheriv('aes-256-gcm', key, random.bytes(12)).setAAD(aad);
    cipher.update(RECORD);
    cipher.final();
    cipher.getAuthTag();
  }
}

const sealing =
  ({ plane: of, clock }, operations) =>
  () => {
    const work = { bytes: RECORD, context: null };
    for (let n = 0; n < operations; n += 1) {
      const done = of.encrypt('acme', work);
      if (!(done.bytes?.length > 1024)) throw done;
      // The ticker cannot run inside a synchronous loop.
      if (n % 1_000 === 0) clock.tick();
    }
  };

/** A client as lean as the server: one request after the other on one connection. */
function client(path, operations) {
  const body = JSON.stringify({ plaintext: RECORD.toString('base64') });
  const request = Buffer.from(
    `POST /v1/tenants/acme/encrypt HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const latencies = [];
    let sentAt = 0;
    let expected = -1;
    let received = 0;
    const send = () => {
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      if (expected < 0) {
        const head = chunk.toString('latin1', 0, Math.min(chunk.length, 1024));
        if (!head.startsWith('HTTP/1.1 200')) return reject(new Error(head));
        const length = Number(/Content-Length: (\d+)/.exec(head)[1]);
        expected = head.indexOf('\r\n\r\n') + 4 + length;
      }
      received += chunk.length;
      if (received < expected) return;
      latencies.push(performance.now() - sentAt);
      expected = -1;
      received = 0;
      if (latencies.length < operations) return send();
      socket.end(() => resolve(latencies));
    });
  });
}

async function clients(path, connections, operations) {
  const each = operations / connections;
  const lists = await Promise.all(Array.from({ length: connections }, () => client(path, each)));
  return lists.flat();
}

export async function run() {
  const folder = mkdtempSync(join(tmpdir(), 'kcm-bench-'));
  const path = join(folder, 'bench.sock');
  const server = new Worker(new URL(import.meta.url), { workerData: { path } });
  await new Promise((resolve, reject) => server.once('message', resolve).once('error', reject));
  const [cached, fresh] = [plane(false), plane(true)];
  const first = { bytes: RECORD, context: null };
  for (const { plane: of } of [cached, fresh]) await of.encrypt('acme', first);
  const rounds = { bare: [], cached: [], fresh: [], one: [], sixteen: [] };
  try {
    for (let round = -1; round < ROUNDS; round += 1) {
      const got = {};
      for (const [name, act] of [
        ['bare', bare],
        ['cached', sealing(cached, OPERATIONS.cached)],
        ['fresh', sealing(fresh, OPERATIONS.fresh)],
        ['one', () => clients(path, 1, OPERATIONS.one)],
        ['sixteen', () => clients(path, 16, OPERATIONS.sixteen)],
      ]) {
        got[name] = await measured(OPERATIONS[name], act);
        // Past a synchronous loop the ticker runs late: let it see that time went on.
        for (const { clock } of [cached, fresh]) clock.tick();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      // The first round only warms up.
      if (round >= 0) for (const name of Object.keys(got)) rounds[name].push(got[name]);
    }
  } finally {
    await server.terminate();
    rmSync(folder, { recursive: true });
  }
  const summary = Object.fromEntries(
    Object.entries(rounds).map(([name, list]) => [
      name,
      Object.fromEntries(
        Object.keys(list[0]).map((key) => [key, median(list.map((round) => round[key]))]),
      ),
    ]),
  );
  const ofBare = (name) =>
    median(rounds[name].map((round, n) => round.perSecond / rounds.bare[n].perSecond));
  const ratios = {
    cached: ofBare('cached'),
    fresh: ofBare('fresh'),
    one: ofBare('one'),
    sixteen: ofBare('sixteen'),
  };
  const rows = [
    ['bare createCipheriv, KeyObject', summary.bare, 1],
    ['Edge in process, cached data key', summary.cached, ratios.cached],
    ['Edge in process, a data key a record', summary.fresh, ratios.fresh],
    ['Edge socket, 1 connection', summary.one, ratios.one],
    ['Edge socket, 16 connections', summary.sixteen, ratios.sixteen],
  ];
  console.table(
    rows.map(([what, { perSecond, cpuMicros, p50Ms, p99Ms }, ratio]) => ({
      what,
      'encrypts of 1 KiB/s': Math.round(perSecond),
      'of bare': ratio.toFixed(2),
      'CPU µs': cpuMicros.toFixed(1),
      'p50 ms': p50Ms?.toFixed(3) ?? '',
      'p99 ms': p99Ms?.toFixed(3) ?? '',
    })),
  );
  return { name: 'edge-encrypt', rounds: ROUNDS, ...summary, ofBare: ratios };
}

if (!isMainThread) {
  const { plane: of, random } = plane(false);
  const health = () => ({ unready: null, degraded: [] });
  const api = new EdgeApi({ plane: of, random, status: () => ({}), health });
  await new EdgeServer(workerData.path, api, SERVER_LIMITS, now).listen();
  parentPort.postMessage('listening');
}
