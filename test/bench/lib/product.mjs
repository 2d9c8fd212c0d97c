// The whole product as its own processes (the build's main files), and a tenant that is served.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../scripts/lib/server-process.mjs';
import { sleep } from './measure.mjs';

const READY_MS_MAX = 30_000;
const FLAGS = ['--expose-gc', '--disable-warning=ExperimentalWarning'];

/** Starts a program of the build; resolves when `file` stands there, with what it holds. */
async function started(app, args, env, log, file) {
  const out = openSync(log, 'a');
  const program = [...FLAGS, join('dist', 'apps', app, 'main.js'), ...args];
  const child = spawn(process.execPath, program, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', out, out],
  });
  const until = performance.now() + READY_MS_MAX;
  while (!existsSync(file)) {
    if (child.exitCode !== null || performance.now() > until)
      throw new Error(`${app} did not start: ${readFileSync(log, 'utf8').slice(-2_000)}`);
    await sleep(20);
  }
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  return { pid: child.pid, stop, endpoints: JSON.parse(readFileSync(file, 'utf8')) };
}

/** A server on a folder of its own. `ask` throws on a refusal. */
export async function startServer(folder, env = {}) {
  const data = join(folder, 'data');
  const all = { KCM_DATA_DIR: data, KCM_HTTP_PORT: '0', KCM_KMIP_PORT: '0', ...env };
  const log = join(folder, 'server.log');
  const server = await started('standalone', [], all, log, join(data, 'endpoints.json'));
  const operator = readFileSync(join(data, 'operator-token'), 'utf8').trim();
  const ask = async (method, path, body, token = operator) => {
    const response = await fetch(`${server.endpoints.http}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': crypto.randomUUID(),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
  return { ...server, operator, ask };
}

/**
 * The applications of a region as processes apart, over the stores of `env`; people speak to cmk.
 * None starts without the others.
 */
export async function startApart(folder, env) {
  const apps = ['cmk', 'core', 'projector'];
  const [kmip, ...ports] = await Promise.all([0, ...apps].map(() => freePort()));
  const port = Object.fromEntries(apps.map((app, n) => [app, ports[n]]));
  const operator = 'the-operator-of-processes-that-run-apart';
  const shared = { ...env, KCM_OPERATOR_TOKEN: operator, KCM_KMIP_PORT: String(kmip) };
  const neighbours = {
    KCM_CORE_URL: `http://127.0.0.1:${port.core}`,
    KCM_PROJECTOR_URL: `http://127.0.0.1:${port.projector}`,
  };
  const start = (app) => {
    const data = join(folder, app, 'data');
    mkdirSync(join(folder, app), { mode: 0o700 });
    const own = { KCM_DATA_DIR: data, KCM_HTTP_PORT: String(port[app]) };
    const all = { ...shared, ...(app === 'cmk' ? neighbours : {}), ...own };
    return started(app, [], all, join(folder, `${app}.log`), join(data, 'endpoints.json'));
  };
  const all = await Promise.allSettled(apps.map(start));
  const running = all.filter(({ status }) => status === 'fulfilled').map(({ value }) => value);
  const stop = () => Promise.all(running.map((each) => each.stop()));
  const failed = all.find(({ status }) => status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return { pids: running.map(({ pid }) => pid), http: running[0].endpoints.http, operator, stop };
}

/** The customers' keystore; `key` makes one and tells how to connect it. */
export async function startKeystore(folder) {
  const args = ['--data', folder, '--port', '0'];
  const file = join(folder, 'endpoint.json');
  const keystore = await started('keystore', args, {}, `${folder}.log`, file);
  const { url } = keystore.endpoints;
  const token = readFileSync(join(folder, 'admin-token'), 'utf8').trim();
  const key = async (name) => {
    const response = await fetch(`${url}/admin/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name }),
    });
    const made = await response.json();
    const reference = { url, key: made.id };
    return { keystore: 'software', reference, credentials: { token: made.token } };
  };
  return { ...keystore, key };
}

/** A tenant with one mapped service whose key is there. */
export async function onboard({ ask }, keystore, id, service, policy) {
  const path = `/v1/tenants/${id}`;
  await ask('POST', '/v1/tenants', { id, name: `${id} bank`, policy });
  await ask('POST', `${path}/activate`, {});
  const roles = ['tenant-admin', 'key-admin'];
  const person = { subject: 'anna', roles, ttlSeconds: 3_600, tenant: id };
  const { token } = await ask('POST', '/v1/sys/tokens', person);
  await ask('POST', `${path}/root-keys`, await keystore.key(id), token);
  await ask('POST', `${path}/services`, { id: service }, token);
  for (;;) {
    const mapped = await ask('GET', `${path}/services/${service}`, undefined, token).catch(notYet);
    if (mapped.key !== null) return mapped.key;
    await sleep(50);
  }
}

/** The read model may be a moment behind. */
function notYet(error) {
  if (!error.message.includes('not_found')) throw error;
  return { key: null };
}
