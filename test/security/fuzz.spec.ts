import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { FIGURES } from '@kcm/testing/figures';
import { Customer, onboard } from '../support/customer.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';
import { say, seedOf } from '../support/seeded.js';
import { type FuzzedRequest, operationsOf, requests } from './fuzz.js';

const REQUESTS = FIGURES.httpRequests;
const AT_ONCE = 8;
/** Those that are declared to say "not now"; every other 5xx is a failure of ours. */
const NOT_NOW: readonly unknown[] = [
  'read_model_behind',
  'root_key_unreachable',
  'root_key_throttled',
];

const PEOPLE = {
  'platform-operator': 'operator',
  'platform-auditor': 'reader',
  'tenant-admin': 'anna',
  'key-admin': 'boris',
  auditor: 'auditor',
  none: 'nobody',
};

const folder = scratchFolder('fuzz');
const server = new Server(folder, { env: { KCM_EDGE_SERVICES: 'billing' } });
let customer: Customer;

beforeAll(async () => {
  await server.start();
  customer = await Customer.open(join(folder, 'bank'));
}, 60_000);

afterAll(async () => {
  await server.stop();
  await customer.close();
  removeFolder(folder);
});

it(`${REQUESTS} random requests: declared answers only, and the server stands`, async () => {
  const seed = seedOf();
  say(`KCM_TEST_SEED=${seed}`);
  const acme = await onboard(server, customer, 'acme', 'billing');
  const document = (await server.ask('GET', '/openapi.json')).body;
  // A seal would end it at once.
  const operations = operationsOf(document).filter(({ path }) => path !== '/v1/sys/seal');
  expect(operations.length).toBeGreaterThan(40);
  const tokens: Readonly<Record<string, string>> = {
    operator: server.operatorToken,
    reader: await server.tokenFor(null, ['platform-auditor']),
    anna: acme.anna,
    boris: acme.boris,
    auditor: acme.auditor,
    nobody: 'nobody',
  };
  const ids = {
    tenant: ['acme', 'acme', 'acme', 'other', 'none'],
    rootKey: [acme.rootKey, 'none'],
    key: [acme.l3, 'none'],
    service: ['billing', 'none'],
    revocation: ['none'],
    operation: ['none'],
    edge: ['standalone', 'none'],
    name: ['tenants', 'audit', 'none'],
  };
  await server.must('POST', '/v1/tenants', { body: { id: 'other', name: 'Other' } });
  const drawn = fc.sample(requests(operations, ids, PEOPLE), {
    numRuns: REQUESTS,
    seed,
  });

  const wrong: string[] = [];
  const codes = new Map<string, number>();
  async function send({ operation, path, who, headers, body }: FuzzedRequest): Promise<void> {
    const { method, statuses } = operation;
    const token = tokens[who]!;
    const answer = await server.ask(method, path, {
      token,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const { status } = answer;
    const { code } = answer.body;
    const outcome = status < 300 ? `${method} ${operation.path}` : `${status} ${String(code)}`;
    codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
    const problem =
      answer.headers['content-type']?.startsWith('application/problem+json') &&
      answer.body['status'] === status &&
      answer.body['correlationId'] === answer.headers['x-correlation-id'];
    const declared =
      status < 300
        ? statuses.includes(status)
        : problem && (status < 500 || NOT_NOW.includes(code));
    if (!declared)
      wrong.push(`${method} ${path} ${JSON.stringify(body)} → ${status} ${answer.text}`);
  }
  for (let at = 0; at < drawn.length; at += AT_ONCE)
    await Promise.all(drawn.slice(at, at + AT_ONCE).map(send));

  expect(wrong).toEqual([]);
  // It went deep enough to find accepted commands, and refusals of many kinds.
  const kinds = [...codes.keys()];
  expect(kinds.filter((kind) => /^(POST|PUT|DELETE) /.test(kind)).length).toBeGreaterThan(5);
  expect(kinds.filter((kind) => /^[45]/.test(kind)).length).toBeGreaterThan(5);
  expect((await server.ask('GET', '/livez')).status).toBe(200);
  expect(readFileSync(server.log, 'utf8')).not.toMatch(/"level":(50|60)/);
}, 120_000);
