import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FIGURES } from '@kcm/testing/figures';
import { ensureSchemathesis } from '../../scripts/services/schemathesis.mjs';
import { Customer, onboard } from '../support/customer.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';
import { say, seedOf } from '../support/seeded.js';

const REQUESTS = FIGURES.openapiRequests;
/** Python generates on one core each; the server has what is left. */
const SHARES = 2;
/** Twice what it needs: garbage must go before it is reached, and what stays for ever ends it. */
const HEAP_MIB_MAX = 256;
const GROWTH_BYTES_MAX = 256 * 2 ** 20;
const SAMPLE_MS = 250;

interface Said {
  readonly requests: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly operations: number;
  readonly accepted: readonly string[];
  readonly wrong: readonly string[];
  readonly slow: readonly string[];
  readonly seconds: number;
}

const folder = scratchFolder('openapi');
// As fast as it can be asked: the limit has a test of its own.
const env = {
  KCM_EDGE_SERVICES: 'billing',
  KCM_RATE_LIMIT: '0',
  KCM_RATE_LIMIT_ANONYMOUS: '0',
  NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB_MAX}`,
};
const server = new Server(folder, { env });
let customer: Customer;
let packages: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  packages = await ensureSchemathesis();
  await server.start();
  customer = await Customer.open(join(folder, 'bank'));
}, 300_000);

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await server.stop();
  await customer.close();
  removeFolder(folder);
});

function fuzz(told: object): Promise<Said> {
  return new Promise((resolve, reject) => {
    const program = join(import.meta.dirname, 'openapi_fuzz.py');
    const child = spawn('python3', [program], {
      cwd: folder,
      env: { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.add(child);
    let said = '';
    let complaints = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString('utf8')));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(said) as Said) : reject(new Error(complaints.slice(-3_000))),
    );
    child.stdin.end(JSON.stringify(told));
  });
}

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

it(`${REQUESTS} requests that schemathesis makes of the document: it is true, and nothing hangs or grows`, async () => {
  const seed = seedOf();
  say(`KCM_TEST_SEED=${seed}`);
  const acme = await onboard(server, customer, 'acme', 'billing');
  await server.must('POST', '/v1/tenants', { body: { id: 'other', name: 'Other' } });
  const roles = ['tenant-admin', 'key-admin', 'approver', 'auditor'];
  const tokens: Record<string, string> = {
    'platform-operator': server.operatorToken,
    'platform-auditor': await server.tokenFor(null, ['platform-auditor'], 'reader'),
  };
  for (const role of roles) tokens[role] = await server.tokenFor('acme', [role], role);
  const ids = {
    tenant: ['acme', 'acme', 'acme', 'other', 'none'],
    rootKey: [acme.rootKey, 'none'],
    key: [acme.l3, 'none'],
    service: ['billing', 'none'],
    edge: ['none'],
    name: ['tenants', 'audit', 'none'],
  };
  const memory: number[] = [];
  const sampling = setInterval(() => {
    if (server.running) memory.push(residentBytes(server.pid));
  }, SAMPLE_MS);
  const told = { url: server.url, requests: REQUESTS / SHARES, seed, shares: SHARES, tokens, ids };
  const said = await Promise.all(
    Array.from({ length: SHARES }, (_each, share) => fuzz({ ...told, share })),
  ).finally(() => clearInterval(sampling));

  const total = said.reduce((sum, { requests }) => sum + requests, 0);
  const seconds = Math.max(...said.map((each) => each.seconds));
  say(
    `${total} requests in ${seconds.toFixed(0)} s: ${JSON.stringify(said.map(({ outcomes }) => outcomes))}`,
  );
  expect(said.flatMap(({ wrong }) => wrong)).toEqual([]);
  expect(said.flatMap(({ slow }) => slow)).toEqual([]);
  expect(total).toBeGreaterThanOrEqual(REQUESTS);
  // It went deep enough to be let in.
  expect(said.flatMap(({ accepted }) => accepted).length).toBeGreaterThan(20);

  const quarter = Math.floor(memory.length / 4);
  const [early, late] = [memory.slice(quarter, 2 * quarter), memory.slice(-quarter)].map(median);
  say(`memory: ${early! >> 20} MiB, then ${late! >> 20} MiB`);
  expect(late! - early!).toBeLessThan(GROWTH_BYTES_MAX);
  expect((await server.ask('GET', '/livez')).status).toBe(200);
  expect(readFileSync(server.log, 'utf8')).not.toMatch(/"level":(50|60)/);
}, 600_000);

it('a path of the document answers any other method with 405 and what it serves', async () => {
  const { paths } = (await server.ask('GET', '/openapi.json')).body as {
    paths: Record<string, Record<string, unknown>>;
  };
  for (const [path, served] of Object.entries(paths)) {
    const declared = Object.keys(served).map((method) => method.toUpperCase());
    const allowed = declared.includes('GET') ? [...declared, 'HEAD'] : declared;
    const allow = allowed.toSorted((a, b) => (a < b ? -1 : 1)).join(', ');
    const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];
    for (const method of others.filter((each) => !declared.includes(each))) {
      const answer = await server.ask(method, path.replaceAll(/\{\w+\}/g, 'x'));
      expect({ path, method, status: answer.status, code: answer.body['code'] }).toEqual({
        path,
        method,
        status: 405,
        code: 'method_not_allowed',
      });
      expect(answer.headers.allow).toBe(allow);
    }
  }
});
