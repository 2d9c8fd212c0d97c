/**
 * P11: from the command that takes a tenant's access away to the last of 100 Edges refusing what it
 * holds cached, beside the raw fan-out: one fsync, then the same bytes over as many mTLS connections
 * to the same processes. The product runs whole: HTTP, ledger, Core, KMIP notices; each Edge is the
 * real one with its own connections, in a few processes instead of a hundred.
 */
import { fork } from 'node:child_process';
import { fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { certificateRequest } from '../../dist/apps/cli/certificate-request.js';
import {
  attribute,
  encodeRequest,
  KCM,
  KMIP_1_4,
  requestItem,
  State,
} from '../../dist/libs/kmip/index.js';
import { cpuMicrosOf, median, percentile, sleep } from './lib/measure.mjs';
import { onboard, startKeystore, startServer } from './lib/product.mjs';
import { against, base, millis, told } from './lib/report.mjs';

const ROUNDS = 20;
const EDGES = 100;
const PROCESSES = 2;
/** Long: renewals are not what is measured. Of the Edge that is cut off: the shortest there is. */
const LEASE_SECONDS = { told: 120, cutOff: 10 };
const TENANT = { told: 'acme', cutOff: 'other' };
const SERVICE = 'billing';
/** A KMIP answer to a notice is about as long. */
const ANSWER_BYTES = 152;
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

/** A process with many Edges: `ask` resolves with what an act of it came to. */
async function fleet() {
  const child = fork(new URL('./lib/edge-fleet.mjs', import.meta.url), [], {
    // No --expose-gc: fifty Edges that each collect one shared heap would measure the collector.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const waiting = new Map();
  let last = 0;
  const ended = new Promise((_resolve, reject) => {
    child.once('exit', () => reject(new Error('a process of Edges ended')));
  });
  ended.catch(() => undefined);
  const answer = (id) => Promise.race([new Promise((resolve) => waiting.set(id, resolve)), ended]);
  child.on('message', (message) => waiting.get(message.id)?.(message));
  await answer(0);
  const ask = async (act, asked = {}) => {
    const id = (last += 1);
    child.send({ id, act, ...asked });
    const message = await answer(id);
    if (message.failed !== undefined) throw new Error(message.failed);
    return message.done;
  };
  return { ask, stop: () => child.disconnect() };
}

async function identity({ ask }, id) {
  const { privateKey, csr } = await certificateRequest(id);
  const { certificate, ca } = await ask('POST', '/v1/edges', { id, services: [SERVICE], csr });
  return { id, certificate, privateKey, ca };
}

/** What Core sends each holder, to the byte. */
const notice = () =>
  encodeRequest({
    header: { version: KMIP_1_4 },
    items: [
      requestItem('Notify', {
        uniqueIdentifier: `${TENANT.told}/l2-0123456789ab/1`,
        attributes: [
          attribute.enumeration('State', State.Active),
          attribute.text(KCM.access, 'locked'),
          attribute.long(KCM.term, 1),
          attribute.long(KCM.epoch, 1),
        ],
      }),
    ],
  });

/** The floor: fsync, then the bytes to everybody, over connections that stand. */
async function rawFanOut(fleets, shares, folder) {
  const bytes = notice();
  const own = shares.flat()[0];
  const sockets = [];
  const options = { cert: own.certificate, key: own.privateKey, ca: own.ca, requestCert: true };
  const server = createTlsServer(options, (socket) => {
    sockets.push(socket.setNoDelay(true));
    socket.on('error', () => undefined).resume();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  for (const [at, { ask }] of fleets.entries())
    await ask('connectRaw', {
      port,
      identities: shares[at],
      bytes: bytes.length,
      answer: ANSWER_BYTES,
    });
  const file = openSync(join(folder, 'raw.log'), 'a');
  const once = async () => {
    const start = nowMs();
    writeSync(file, bytes);
    fsyncSync(file);
    for (const socket of sockets) socket.write(bytes);
    const times = await Promise.all(
      fleets.map(({ ask }, at) => ask('rawTimes', { count: shares[at].length })),
    );
    return Math.max(...times.flat()) - start;
  };
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { once, close, bytes: bytes.length };
}

/** Core's port as one Edge sees it, until it is cut. */
async function cuttable(port) {
  const sockets = new Set();
  const server = createServer((socket) => {
    const core = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [socket, core],
      [core, socket],
    ]) {
      sockets.add(from);
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: server.address().port, cut };
}

async function revocation({ server, fleets }) {
  await Promise.all(fleets.map(({ ask }) => ask('serve')));
  const cpu = cpuMicrosOf(server.pid);
  const start = nowMs();
  const blocked = server.ask('POST', `/v1/tenants/${TENANT.told}/block`, {});
  const answers = await Promise.all(fleets.map(({ ask }) => ask('refusals')));
  await blocked;
  const cpuMicros = cpuMicrosOf(server.pid) - cpu;
  await server.ask('POST', `/v1/tenants/${TENANT.told}/unblock`, {});
  const times = answers.flatMap((answer) => answer.times);
  const told = times.filter((at) => at !== null);
  const missed = answers.reduce((sum, answer) => sum + answer.missed, times.length - told.length);
  return { ms: Math.max(...told) - start, missed, cpuMicros };
}

/** Seconds from the command to the last record that a cut-off Edge opened. */
async function cutOff({ server, options }) {
  const wire = await cuttable(options.corePort);
  const alone = await fleet();
  const own = { ...options, tenant: TENANT.cutOff, corePort: wire.port, dir: `${options.dir}c` };
  await alone.ask('start', { options: own, identities: [await identity(server, 'cut-off')] });
  await alone.ask('serve');
  wire.cut();
  const start = nowMs();
  const blocked = server.ask('POST', `/v1/tenants/${TENANT.cutOff}/block`, {});
  const seconds = ((await alone.ask('lastServed')) - start) / 1000;
  await blocked;
  alone.stop();
  return seconds;
}

export async function run() {
  const folder = mkdtempSync(join(tmpdir(), 'kcm-'));
  for (const part of ['server', 'bank']) mkdirSync(join(folder, part));
  const keystore = await startKeystore(join(folder, 'bank'));
  const server = await startServer(join(folder, 'server'), { KCM_LOG_LEVEL: 'error' });
  const fleets = [];
  try {
    for (const which of ['told', 'cutOff'])
      await onboard(server, keystore, TENANT[which], SERVICE, {
        leaseSeconds: LEASE_SECONDS[which],
      });
    const [coreHost, corePort] = server.endpoints.kmip.split(':');
    const options = { coreHost, corePort: Number(corePort), region: 'local', service: SERVICE };
    Object.assign(options, { tenant: TENANT.told, dir: join(folder, 'e') });
    const shares = Array.from({ length: PROCESSES }, () => []);
    for (let n = 0; n < EDGES; n += 1)
      shares[n % PROCESSES].push(await identity(server, `edge-${n}`));
    for (const identities of shares) {
      const started = await fleet();
      fleets.push(started);
      await started.ask('start', { options, identities });
    }
    const seen = { revocations: [], raw: [] };
    const raw = await rawFanOut(fleets, shares, folder);
    for (let round = -1; round < ROUNDS; round += 1) {
      const revoked = await revocation({ server, fleets });
      const floor = await raw.once();
      if (round < 0) continue;
      seen.revocations.push(revoked);
      seen.raw.push(floor);
      await sleep(50);
    }
    raw.close();
    return shown(seen, raw.bytes, await cutOff({ server, options }));
  } finally {
    for (const { stop } of fleets) stop();
    await Promise.all([server.stop(), keystore.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

function shown({ revocations, raw }, bytes, cutOffSeconds) {
  const ms = revocations.map((each) => each.ms);
  const missed = revocations.reduce((sum, each) => sum + each.missed, 0);
  const cpu = median(revocations.map(({ cpuMicros }) => cpuMicros));
  const spread = (all) =>
    `p50 ${millis(percentile(all, 0.5))}, p99 ${millis(percentile(all, 0.99))}`;
  const rows = [
    base(`fsync + ${bytes} bytes over ${EDGES} mTLS connections`, spread(raw), null),
    against('P11', `command → last of ${EDGES} Edges refuses`, ['≤', 2], {
      seen: spread(ms),
      ratio: median(ms.map((each, round) => each / raw[round])),
      cpuMicros: cpu,
    }),
    against('P11', `… p99 of ${ROUNDS} rounds`, ['≤', 50, 'ms'], {
      seen: millis(percentile(ms, 0.99)),
      value: percentile(ms, 0.99),
    }),
    against('P11', 'records opened after a refusal was told', ['≤', 0, 'misses'], {
      seen: `${missed} of ${ROUNDS * EDGES}`,
      value: missed,
    }),
    against('P11', 'a cut-off Edge opens its last record', ['≤', LEASE_SECONDS.cutOff, 's'], {
      seen: `${cutOffSeconds.toFixed(1)} s after the command`,
      value: cutOffSeconds,
    }),
  ];
  return told({
    name: 'revocation',
    rounds: ROUNDS,
    rows,
    notShown: [
      'a network: all is on loopback, and Core, keystore and Edges share this machine’s cores',
      `${EDGES} machines: the Edges live in ${PROCESSES} processes, which take turns on a core each`,
      'the collection that an Edge asks for after it has refused, to sign what it erased',
      'CPU/op is Core’s for one revocation, with its answers and the leases it then refuses',
    ],
    figures: { ms, rawMs: raw, cutOffSeconds },
  });
}
