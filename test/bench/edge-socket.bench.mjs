/**
 * P4: encrypting 1 KiB over the Edge's Unix socket with all checks on, beside OpenBao's transit
 * engine at its best: no audit device, root token (no policy to look up), plain HTTP on loopback,
 * in memory, kept connections. One raw client for both, in this process; each server in its own.
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOpenBao } from '../../scripts/services/openbao.mjs';
import { cpuMicrosOf, interleaved, measured, medians, ratioOf } from './lib/measure.mjs';
import { postOf, RawClient } from './lib/raw-client.mjs';
import { against, base, millis, perSecond, told } from './lib/report.mjs';

const ROUNDS = 7;
/** About a second a turn each. */
const OPERATIONS = {
  edge: { 1: 12_000, 16: 48_000 },
  openbao: { 1: 2_000, 16: 3_200 },
};
const PLAINTEXT = JSON.stringify({ plaintext: randomBytes(1024).toString('base64') });

async function edge(folder) {
  const path = join(folder, 'bench.sock');
  const child = fork(new URL('./lib/edge-server.mjs', import.meta.url), [path]);
  await new Promise((resolve, reject) => child.once('message', resolve).once('exit', reject));
  const request = postOf('/v1/tenants/acme/encrypt', ['Host: edge'], PLAINTEXT);
  return { to: path, request, pid: child.pid, stop: async () => child.disconnect() };
}

async function openbao(folder) {
  const bao = await startOpenBao({ dir: folder, audit: false });
  const { host, hostname, port } = new URL(bao.address);
  const token = `X-Vault-Token: ${bao.rootToken}`;
  const settings = { 'sys/mounts/transit': 'transit', 'transit/keys/bench': 'aes256-gcm96' };
  for (const [path, type] of Object.entries(settings)) {
    const made = await fetch(`${bao.address}/v1/${path}`, {
      method: 'POST',
      headers: { 'X-Vault-Token': bao.rootToken },
      body: JSON.stringify({ type }),
    });
    if (!made.ok) throw new Error(`OpenBao refused ${path}: ${await made.text()}`);
  }
  const request = postOf('/v1/transit/encrypt/bench', [`Host: ${host}`, token], PLAINTEXT);
  const to = { host: hostname, port: Number(port) };
  return { to, request, pid: bao.pid, stop: () => bao.stop() };
}

export async function run() {
  const folder = mkdtempSync(join(tmpdir(), 'kcm-bench-'));
  const servers = { edge: await edge(folder), openbao: await openbao(join(folder, 'openbao')) };
  const clients = [];
  const candidates = {};
  try {
    for (const connections of [1, 16])
      for (const [name, { to, request, pid }] of Object.entries(servers)) {
        const client = await new RawClient(to, request).open(connections);
        clients.push(client);
        const operations = OPERATIONS[name][connections];
        candidates[`${name}${connections}`] = () =>
          measured(
            operations,
            () => client.run(operations),
            () => cpuMicrosOf(pid),
          );
      }
    return report(await interleaved(ROUNDS, candidates));
  } finally {
    for (const client of clients) client.close();
    for (const { stop } of Object.values(servers)) await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const GOALS = { 1: 5, 16: 25 };

function report(seen) {
  const of = medians(seen);
  const rows = [];
  for (const connections of [1, 16]) {
    const [mine, theirs] = [`edge${connections}`, `openbao${connections}`];
    const plural = connections === 1 ? 'connection' : 'connections';
    const on = `${connections} ${plural}`;
    const p99 = ratioOf(seen, mine, theirs, 'p99Ms');
    const { perSecond: rate, cpuMicros, p99Ms } = of[mine];
    rows.push(
      base(`OpenBao transit, ${on}`, speed(of[theirs]), of[theirs].cpuMicros),
      against('P4', `Edge socket, ${on}: ops/s`, ['≥', GOALS[connections]], {
        seen: perSecond(rate),
        ratio: ratioOf(seen, mine, theirs),
        cpuMicros,
      }),
      against('P4', `Edge socket, ${on}: p99 of OpenBao's`, ['≤', 0.125], {
        seen: millis(p99Ms),
        ratio: p99,
      }),
      against('P4', `Edge socket, ${on}: cached p99`, ['≤', 1, 'ms'], {
        seen: millis(p99Ms),
        value: p99Ms,
      }),
    );
  }
  return told({
    name: 'edge-socket',
    rounds: ROUNDS,
    rows,
    notShown: [
      'the client and the server share this machine’s cores, and OpenBao takes more of them',
      'CPU/op is the server process alone; TLS, audit and policies of OpenBao are off',
      'Core is granted in process: what a first operation of a tenant waits for is not in it',
    ],
    figures: { of },
  });
}

const speed = (of) => `${perSecond(of.perSecond)}, p99 ${millis(of.p99Ms)}`;
