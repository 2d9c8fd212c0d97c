/**
 * Rotation of 1,000 tenants, by command and by their policy, while an Edge answers 200 calls a second:
 * how long it takes, how many calls the customers' keystores see (their own audit files are counted),
 * how many calls at the Edge fail (none may), and how soon new use takes the new version. The product
 * runs whole in one process; the keystores are processes of their own.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { cpuMicrosOf, percentile, sleep } from './lib/measure.mjs';
import { onboard, startKeystore, startServer } from './lib/product.mjs';
import { against, base, millis, told } from './lib/report.mjs';

const TENANTS = Number(process.env.KCM_BENCH_TENANTS ?? 1_000);
/** Each looks through all its keys at each call: it is made for trials. */
const KEYSTORES = 20;
const TOGETHER = 16;
const CALLS_PER_SECOND = 200;
/** Under load. */
const LOADED = 20;
const SERVICE = 'default';
const AGE_SECONDS = 300;
const LEASE_SECONDS = 300;
const PLAINTEXT = Buffer.from('card 4711').toString('base64');

/** So many at a time. */
async function all(items, act) {
  const left = [...items.entries()];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      await act(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: TOGETHER }, worker));
}

function socketClient(socketPath) {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const ask = (path, body) =>
    new Promise((resolve) => {
      const headers = { 'content-type': 'application/json' };
      const sent = request({ socketPath, path, method: 'POST', headers, agent }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => {
          const read = JSON.parse(Buffer.concat(chunks).toString('utf8'));
          resolve({ ok: answer.statusCode === 200, ...read });
        });
      });
      sent.on('error', (error) => resolve({ ok: false, code: error.code }));
      sent.end(JSON.stringify(body));
    });
  return { ask, close: () => agent.destroy() };
}

/** 200 calls a second, whether or not the ones before were answered: each half encrypts, then opens. */
class Load {
  done = 0;
  failures = [];
  /** When the first record under a version was answered, by tenant and version. */
  firstAt = new Map();
  #stopped = false;
  #old = new Map();

  constructor(edge, tenants) {
    this.edge = edge;
    this.tenants = tenants;
  }

  async start() {
    for (const tenant of this.tenants) {
      let sealed = { ok: false };
      while (!sealed.ok) {
        sealed = await this.#encrypt(tenant);
        if (!sealed.ok) await sleep(200);
      }
      this.#old.set(tenant, sealed.ciphertext);
    }
    this.ended = this.#run();
  }

  async stop() {
    this.#stopped = true;
    await this.ended;
    for (const tenant of this.tenants) await this.#open(tenant, this.#old.get(tenant));
  }

  async #run() {
    const start = performance.now();
    for (let asked = 0; !this.#stopped; await sleep(20)) {
      const due = ((performance.now() - start) / 1000) * CALLS_PER_SECOND;
      for (; asked < due; asked += 2) void this.#pair(this.tenants[(asked / 2) % LOADED]);
    }
  }

  async #pair(tenant) {
    const sealed = await this.#encrypt(tenant);
    this.#count(sealed);
    if (!sealed.ok) return;
    const name = `${tenant}/${sealed.keyVersion}`;
    if (!this.firstAt.has(name)) this.firstAt.set(name, Date.now());
    await this.#open(tenant, this.done % 10 === 0 ? this.#old.get(tenant) : sealed.ciphertext);
  }

  #encrypt(tenant) {
    return this.edge.ask(`/v1/tenants/${tenant}/encrypt`, { plaintext: PLAINTEXT });
  }
  async #open(tenant, ciphertext) {
    this.#count(await this.edge.ask(`/v1/tenants/${tenant}/decrypt`, { ciphertext }));
  }
  #count({ ok, code }) {
    this.done += 1;
    if (!ok) this.failures.push(code);
  }
}

class Bench {
  tenants = [];

  constructor(server, keystores, folder) {
    Object.assign(this, { server, keystores, folder });
  }

  async onboard() {
    const never = { maxAgeSeconds: null, maxUses: null, retireAfterSeconds: null };
    const policy = { leaseSeconds: LEASE_SECONDS, rotation: { L2: never, L3: never } };
    const ids = Array.from({ length: TENANTS }, (_, at) => `t${at}`);
    await all(ids, async (id, at) => {
      const l3 = await onboard(this.server, this.keystores[at % KEYSTORES], id, SERVICE, policy);
      const roles = ['tenant-admin', 'key-admin'];
      const person = { subject: 'bench', roles, ttlSeconds: 7_200, tenant: id };
      const { token } = await this.server.ask('POST', '/v1/sys/tokens', person);
      const { items } = await this.ask({ id, token }, 'GET', 'keys');
      this.tenants.push({ id, token, l3, l2: items.find(({ level }) => level === 'L2').id });
    });
  }
  ask({ id, token }, method, path, body) {
    return this.server.ask(method, `/v1/tenants/${id}/${path}`, body, token);
  }
  key(tenant, id) {
    return this.ask(tenant, 'GET', `keys/${id}`);
  }

  /** What the keystores' owners see, by operation. */
  l1Calls() {
    const counts = { wrap: 0, unwrap: 0, describe: 0 };
    for (let at = 0; at < KEYSTORES; at += 1)
      for (const line of readFileSync(join(this.folder, `bank-${at}`, 'audit.jsonl'), 'utf8')
        .split('\n')
        .filter(Boolean)) {
        const { operation } = JSON.parse(line);
        if (operation in counts) counts[operation] += 1;
      }
    return counts;
  }

  /** Time, calls of the keystores and CPU time of one phase. */
  async phase(act) {
    const before = this.l1Calls();
    const cpu = cpuMicrosOf(this.server.pid);
    const start = performance.now();
    const said = await act();
    const seconds = (performance.now() - start) / 1000;
    const cpuMicros = (cpuMicrosOf(this.server.pid) - cpu) / TENANTS;
    const after = this.l1Calls();
    const calls = Object.fromEntries(Object.keys(after).map((of) => [of, after[of] - before[of]]));
    return { seconds, cpuMicros, calls, ...said };
  }

  /** By command, each answered when it is done. */
  rotate(which) {
    return this.phase(() =>
      all(this.tenants, (tenant) => this.ask(tenant, 'POST', `keys/${tenant[which]}/rotate`, {})),
    );
  }

  async rewrapped() {
    await all(this.tenants, async (tenant) => {
      for (;;) {
        const { versions } = await this.key(tenant, tenant.l3);
        if (versions.every(({ wrappedBy }) => wrappedBy.version === '2')) return;
        await sleep(100);
      }
    });
  }

  /** By their age: one version more each, without anybody's command. */
  byAge() {
    const rotation = { L3: { maxAgeSeconds: AGE_SECONDS } };
    return this.phase(async () => {
      await all(this.tenants, (tenant) => this.ask(tenant, 'PUT', 'policy', { rotation }));
      const ages = [];
      const minutes = new Map();
      await all(this.tenants, async (tenant) => {
        for (;;) {
          const { versions } = await this.key(tenant, tenant.l3);
          const [was, is] = [versions[1], versions[2]].map((one) => Date.parse(one?.activatedAt));
          if (is > 0) {
            ages.push((is - was) / 1000);
            const minute = Math.floor(is / 60_000);
            minutes.set(minute, (minutes.get(minute) ?? 0) + 1);
            return;
          }
          await sleep(2_000);
        }
      });
      return { ages, worstMinute: Math.max(...minutes.values()) };
    });
  }

  /** How long after a version took over the first record under it was answered. */
  async lag(load) {
    const ms = [];
    for (const tenant of this.tenants.filter(({ id }) => load.tenants.includes(id))) {
      const { versions } = await this.key(tenant, tenant.l3);
      for (const { version, activatedAt } of versions.slice(1)) {
        const at = load.firstAt.get(`${tenant.id}/${version}`);
        if (at !== undefined) ms.push(at - Date.parse(activatedAt));
      }
    }
    return ms;
  }
}

export async function run() {
  // On the disk of the project: the temporary folder may be memory.
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  /** @type {(() => unknown)[]} */
  const ends = [];
  try {
    const keystores = [];
    for (let at = 0; at < KEYSTORES; at += 1) {
      mkdirSync(join(folder, `bank-${at}`));
      keystores.push(await startKeystore(join(folder, `bank-${at}`)));
      ends.push(keystores[at].stop);
    }
    mkdirSync(join(folder, 'server'));
    const quiet = { KCM_LOG_LEVEL: 'error', KCM_RATE_LIMIT: '10000' };
    const server = await startServer(join(folder, 'server'), quiet);
    ends.unshift(server.stop);
    const bench = new Bench(server, keystores, folder);
    const onboarding = await bench.phase(() => bench.onboard());
    const edge = socketClient(server.endpoints.edgeSockets[SERVICE]);
    const load = new Load(
      edge,
      bench.tenants.slice(0, LOADED).map(({ id }) => id),
    );
    await load.start();
    const l3 = await bench.rotate('l3');
    const aged = await bench.byAge();
    const l2 = await bench.rotate('l2');
    const rewrap = await bench.phase(() => bench.rewrapped());
    const lag = await bench.lag(load);
    await load.stop();
    edge.close();
    return shown({ onboarding, l3, aged, l2, rewrap, lag, load });
  } finally {
    for (const end of ends) await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

const took = ({ seconds, calls: { wrap, unwrap } }) =>
  `${seconds.toFixed(1)} s; L1 calls: ${wrap} wraps, ${unwrap} unwraps`;

function shown({ onboarding, l3, aged, l2, rewrap, lag, load }) {
  const { done, failures } = load;
  const row = (what, phase) => ({
    ...base(what, took(phase), phase.cpuMicros),
    ratio: null,
  });
  const oldest = Math.max(...aged.ages);
  const rows = [
    row(`${TENANTS} tenants onboarded`, onboarding),
    row(`${TENANTS} L3 by command`, l3),
    row(`${TENANTS} L3 by their age of ${AGE_SECONDS} s`, aged),
    against('A16', '… the oldest when it was replaced', ['≤', AGE_SECONDS, 's'], {
      seen: `${oldest.toFixed(1)} s; ${aged.worstMinute} in the worst minute`,
      value: oldest,
    }),
    row(`${TENANTS} L2 by command`, l2),
    row('… and each L3 version wrapped anew', rewrap),
    against('A16', 'calls at the Edge that failed', ['≤', 0, 'calls'], {
      seen: `${failures.length} of ${done}`,
      value: failures.length,
    }),
    against('A16', 'new use takes the new version', ['≤', 1_000, 'ms'], {
      seen: `p50 ${millis(percentile(lag, 0.5))}, longest ${millis(Math.max(...lag))}`,
      value: Math.max(...lag),
    }),
  ];
  return told({
    name: 'rotation',
    rounds: 1,
    rows,
    notShown: [
      'a customer’s real keystore: the software one looks through all its keys at each call',
      `a network: all is on loopback, and ${KEYSTORES} keystores share this machine’s cores`,
      'renewals of leases are among the unwraps of a phase that is longer than half a lease',
      'a call is in time by the load’s own clock: one pair of calls each 10 ms, 20 tenants in turn, so that 200 ms of the time to the new version are its own',
    ],
    figures: { onboarding, l3, aged, l2, rewrap, lagMs: lag, failures, done },
  });
}
