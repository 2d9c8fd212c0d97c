/**
 * How long it takes until somebody reads what he wrote: a tenant is registered and then read with
 * the Kcm-Token that the command answered, over HTTP. The product in one process with SQLite, and
 * as processes apart over a DOUBLE of EventStoreDB and a STAND-IN for MongoDB, both in memory.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { startEventStoreDouble } from '../../scripts/services/eventstoredb-double.mjs';
import { startMongoStandin } from '../../scripts/services/mongo-standin.mjs';
import { cpuMicrosOf, interleaved, median, percentile } from './lib/measure.mjs';
import { startApart, startServer } from './lib/product.mjs';
import { base, millis, told } from './lib/report.mjs';

const ROUNDS = 5;
const WRITES = 100;
const QUIET = { KCM_LOG_LEVEL: 'error' };
const STEPS = ['command', 'read', 'plain', 'both'];

/** One kept connection, one request after the other. */
function client(http, token) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method, path, headers = {}, body = null) =>
    new Promise((resolve, reject) => {
      const json = body === null ? '' : JSON.stringify(body);
      const type = body === null ? {} : { 'content-type': 'application/json' };
      const all = { authorization: `Bearer ${token}`, ...type, ...headers };
      const sent = request(`${http}${path}`, { agent, method, headers: all }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk)).on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (answer.statusCode >= 300)
            reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
          else resolve({ headers: answer.headers, body: JSON.parse(text) });
        });
      });
      sent.on('error', reject).end(json);
    });
  return { ask, close: () => agent.destroy() };
}

async function timed(into, act) {
  const start = performance.now();
  const answer = await act();
  into.push(performance.now() - start);
  return answer;
}

/** Registers tenants and reads each at once, with its token and then without. */
async function turn({ ask }, pids) {
  const ms = Object.fromEntries(STEPS.map((step) => [step, []]));
  const before = cpuMicrosOf(...pids);
  for (let n = 0; n < WRITES; n += 1) {
    const id = `t-${randomUUID().slice(-12)}`;
    const path = `/v1/tenants/${id}`;
    const named = { 'idempotency-key': randomUUID() };
    const written = await timed(ms.command, () =>
      ask('POST', '/v1/tenants', named, { id, name: id }),
    );
    const token = { 'kcm-token': written.headers['kcm-token'] };
    const { headers, body } = await timed(ms.read, () => ask('GET', path, token));
    if (body.id !== id || headers['kcm-as-of'] !== undefined)
      throw new Error(`the read of ${id} was of before`);
    await timed(ms.plain, () => ask('GET', path));
    ms.both.push(ms.command.at(-1) + ms.read.at(-1));
  }
  const cpuMicros = (cpuMicrosOf(...pids) - before) / WRITES;
  return { ms, cpuMicros };
}

async function startStores() {
  const [ledger, mongo] = await Promise.all([startEventStoreDouble(), startMongoStandin()]);
  const of = (name) => `mongodb://${mongo.address}/${name}`;
  const env = {
    KCM_LEDGER: ledger.url,
    KCM_READ_MODELS: of('read_models'),
    KCM_VAULT: of('blobs'),
    KCM_DIRECTORY: of('blobs'),
  };
  return { env, stop: () => Promise.all([ledger.stop(), mongo.stop()]) };
}

export async function run() {
  // On the disk of the project: the temporary folder may be memory.
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  for (const part of ['one', 'apart']) mkdirSync(join(folder, part));
  /** @type {(() => unknown)[]} */
  const ends = [];
  try {
    const one = await startServer(join(folder, 'one'), QUIET);
    ends.unshift(one.stop);
    const stores = await startStores();
    ends.unshift(stores.stop);
    const apart = await startApart(join(folder, 'apart'), { ...stores.env, ...QUIET });
    ends.unshift(apart.stop);
    const toOne = client(one.endpoints.http, one.operator);
    const toApart = client(apart.http, apart.operator);
    ends.unshift(toOne.close, toApart.close);
    const seen = await interleaved(ROUNDS, {
      one: () => turn(toOne, [one.pid]),
      apart: () => turn(toApart, apart.pids),
    });
    return shown(seen);
  } finally {
    for (const end of ends) await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of all rounds together: the p99 of one alone would be a single request. */
function spreadOf(turns, step) {
  const all = turns.flatMap(({ ms }) => ms[step]);
  return { p50Ms: percentile(all, 0.5), p99Ms: percentile(all, 0.99) };
}

function shown(seen) {
  const of = {};
  for (const [name, turns] of Object.entries(seen)) {
    of[name] = Object.fromEntries(STEPS.map((step) => [step, spreadOf(turns, step)]));
    of[name].cpuMicros = median(turns.map(({ cpuMicros }) => cpuMicros));
  }
  const row = (what, { p50Ms, p99Ms }, more = {}) => ({
    ...base(what, `p50 ${millis(p50Ms)}, p99 ${millis(p99Ms)}`, null),
    ratio: null,
    ...more,
  });
  const rowsOf = (where, { command, read, plain, both, cpuMicros }) => [
    row(`${where}: the command, its answer read back`, command),
    row('… the read with its Kcm-Token', read),
    row('… the read without', plain),
    row('command → read model, together', both, { cpuMicros }),
  ];
  return told({
    name: 'read-your-write',
    rounds: ROUNDS,
    rows: [
      ...rowsOf('one process, SQLite', of.one),
      ...rowsOf('apart, EventStoreDB (double), MongoDB (stand-in)', of.apart),
    ],
    notShown: [
      'EventStoreDB and MongoDB themselves: both keep all in memory here, on the same cores',
      'a network, and others who write at the same time',
      `the stand-in looks through a collection at each write: it holds ${(ROUNDS + 1) * WRITES} at the end`,
    ],
    figures: { of },
  });
}
