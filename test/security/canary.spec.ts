import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askSocket } from '@kcm/testing/edge';
import { Customer, type Onboarded, onboard } from '../support/customer.js';
import type { Answer, Asked } from '../support/http.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';
import { TraceReceiver } from '../support/trace-receiver.js';
import { blobsOf, databasesOf, filesOf, rowsOf } from './disk.js';
import { caKeyIn, drawsIn, type EdgeRecord, keysIn, sharesOf, tekIn } from './learn.js';
import { base64Inside, formsOf, type Place, search, type Secret } from './needles.js';

const SERVICE = 'billing';
const CONTEXT = '{"customer":"c-1"}';
const PLAINTEXT = 'a plaintext that only its owner may read';
/** What must be told once, to whom it is told. */
const TOLD = ['POST /v1/sys/init', 'POST /v1/sys/rekey', 'POST /v1/sys/tokens'];

/** Every HTTP answer; and the files as they lay when the server was killed. */
const answers: Place[] = [];
/** Bearer tokens and keystore credentials: in no file, log or event, whoever holds them. */
const bearers: Secret[] = [];

class ListeningServer extends Server {
  override async ask(method: string, path: string, asked: Asked = {}): Promise<Answer> {
    const answer = await super.ask(method, path, asked);
    const bytes = Buffer.from(JSON.stringify(answer.headers) + answer.text);
    if (!TOLD.includes(`${method} ${path}`)) answers.push({ name: `${method} ${path}`, bytes });
    if (path === '/v1/sys/tokens')
      bearers.push({ name: 'access token', bytes: Buffer.from(String(answer.body['token'])) });
    const { credentials } = (asked.body ?? {}) as { credentials?: { token: string } };
    if (credentials !== undefined)
      bearers.push({ name: 'credential', bytes: Buffer.from(credentials.token) });
    return answer;
  }
}

const closing: (() => void)[] = [];
const traces = await TraceReceiver.listen({ atEnd: (close) => closing.push(close) });
const folder = scratchFolder('canary');
const drawsFile = join(folder, 'draws');
const server = new ListeningServer(folder, {
  program: ['test/security/recording.mjs', drawsFile],
  env: { KCM_SEAL: 'shamir', KCM_EDGE_SERVICES: SERVICE, KCM_LOG_LEVEL: 'trace', ...traces.env },
});
let customer: Customer;
let shares: readonly string[];
/** Those that a rekey ended. */
let ended: readonly string[];
const records: EdgeRecord[] = [];
let acme: Onboarded;

async function unseal(): Promise<void> {
  for (const share of shares.slice(0, 2))
    await server.must('POST', '/v1/sys/unseal', { body: { share } });
  await server.until('the Edge', () => server.endpoints.edgeSockets !== undefined);
}

interface Step {
  readonly ceremony: { readonly id: string } | null;
  readonly shares: readonly string[] | null;
}

/** Other shares, and another key of the barrier that everything is sealed with anew. */
async function changeSeal(): Promise<void> {
  const step = (path: string, body: object) =>
    server.must<Step>('POST', `/v1/sys/${path}`, { body });
  const give = async (path: string, ceremony: string, given: readonly string[]) => {
    let last: Step | null = null;
    for (const share of given.slice(0, 2)) last = await step(path, { ceremony, share });
    return last!;
  };
  const rekey = (await step('rekey', { shares: 3, threshold: 2 })).ceremony!.id;
  const fresh = (await give('rekey', rekey, shares)).shares!;
  await give('rekey', rekey, fresh);
  [ended, shares] = [shares, fresh];
  await give('rotate', (await step('rotate', { begin: true })).ceremony!.id, shares);
  await server.until('all sealed anew', async () => {
    const { keyring } = await server.must('GET', '/v1/sys/status');
    return (keyring as { resealing: { state: string } }).resealing.state === 'done';
  });
}

async function edge(tenant: string, verb: string, body: object) {
  const socket = server.endpoints.edgeSockets![SERVICE]!;
  const answer = await askSocket(socket, 'POST', `/v1/tenants/${tenant}/${verb}`, body);
  answers.push({ name: `edge ${verb}`, bytes: Buffer.from(JSON.stringify(answer)) });
  return answer;
}

async function encrypt(tenant: string): Promise<string> {
  const plaintext = Buffer.from(PLAINTEXT).toString('base64');
  const { status, body } = await edge(tenant, 'encrypt', {
    plaintext,
    context: JSON.parse(CONTEXT) as object,
  });
  if (status !== 200) throw new Error(`encrypt: ${JSON.stringify(body)}`);
  const ciphertext = String(body['ciphertext']);
  records.push({
    tenant,
    version: Number(body['keyVersion']),
    bytes: Buffer.from(ciphertext, 'base64'),
    context: CONTEXT,
  });
  return ciphertext;
}

async function opens(tenant: string, ciphertext: string): Promise<void> {
  const context = JSON.parse(CONTEXT) as object;
  const { body } = await edge(tenant, 'decrypt', { ciphertext, context });
  if (Buffer.from(String(body['plaintext']), 'base64').toString() !== PLAINTEXT)
    throw new Error(`decrypt: ${JSON.stringify(body)}`);
}

/** The whole life of two tenants: nothing of it is looked at before it is over. */
beforeAll(async () => {
  await server.start();
  const body = { shares: 3, threshold: 2 };
  shares = (await server.must<{ shares: string[] }>('POST', '/v1/sys/init', { body })).shares;
  const mistyped = shares[0]!.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'));
  await server.ask('POST', '/v1/sys/unseal', {
    token: server.operatorToken,
    body: { share: mistyped },
  });
  await unseal();
  customer = await Customer.open(join(folder, 'bank'));
  acme = await onboard(server, customer, 'acme', SERVICE);
  await onboard(server, customer, 'globex', SERVICE);
  const connection = await customer.connection('acme-2');
  const wrong = {
    ...connection,
    credentials: { token: `kst_${randomBytes(32).toString('base64url')}` },
  };
  await server.ask('POST', '/v1/tenants/acme/root-keys', { token: acme.anna, body: wrong });
  const first = await encrypt('acme');
  await encrypt('globex');
  await server.must('POST', `/v1/tenants/acme/keys/${acme.l3}/rotate`, {
    token: acme.anna,
    body: {},
  });
  await server.until('the new version', async () => {
    await encrypt('acme');
    return records.at(-1)!.version === 2;
  });
  await opens('acme', first);
  await edge('acme', 'decrypt', { ciphertext: first, context: { customer: 'another' } });

  await server.kill();
  for (const { name, bytes } of filesOf(server.dataDir, ['operator-token']))
    answers.push({ name: `${name} as the kill left it`, bytes });
  await server.start();
  await unseal();
  await encrypt('acme');
  await opens('acme', first);
  await customer.disable('globex');
  await server.must('POST', '/v1/sys/seal', { body: {} });
  await unseal();
  await changeSeal();
}, 90_000);

afterAll(async () => {
  await server.stop();
  await customer?.close();
  for (const close of closing) close();
  removeFolder(folder);
});

/** Everything that the product left, but for what is told once to whom it concerns. */
function leftBehind(): readonly Place[] {
  return [
    ...filesOf(server.dataDir, ['operator-token']),
    ...filesOf(folder, []).filter(({ name }) => name === 'server.log'),
    ...answers,
    ...traces.bodies.map((bytes) => ({ name: 'exported traces', bytes })),
  ];
}

describe('no key byte is left anywhere', () => {
  it('the search finds a secret in each of its forms, and at each offset of base64', () => {
    const bytes = randomBytes(32);
    for (const [form, needle] of formsOf(bytes)) {
      const hidden = Buffer.concat([randomBytes(501), needle, randomBytes(77)]);
      const found = search([{ name: 'planted', bytes }], [{ name: 'here', bytes: hidden }]);
      expect(found).toContain(`planted (${form}) in here`);
    }
    for (const offset of [0, 1, 2]) {
      const text = Buffer.concat([randomBytes(3 + offset), bytes, randomBytes(5)]).toString(
        'base64',
      );
      expect(text).toContain(base64Inside(bytes, offset));
    }
  });

  it('before and after the shred, in files, rows, logs, answers, events and traces', async () => {
    await server.stop();
    const draws = drawsIn(drawsFile);
    const secrets = [
      ...keysIn(server.dataDir, draws, records),
      ...(await sharesOf(shares, draws)),
      ...(await sharesOf(ended, draws)),
      ...draws.map(({ bytes, by }, at) => ({ name: `draw ${at} by ${by}`, bytes })),
    ];
    const vault = blobsOf(join(server.dataDir, 'vault.db'));
    secrets.push(caKeyIn(server.dataDir, draws));
    // Who holds what, and how many: a recording that missed a kind of key would prove nothing.
    const kinds = secrets.map(({ name }) => name.replace(/[ /].*$/, ''));
    const count = (kind: string) => kinds.filter((each) => each === kind).length;
    expect({ l2: count('L2'), l3: count('L3'), master: count('MasterKey') }).toEqual({
      l2: 2,
      l3: 3,
      master: 2,
    });
    expect(count('L4')).toBe(records.length);
    const tek = tekIn(server.dataDir, 'acme', draws);
    expect(draws.some(({ bytes }) => bytes.equals(tek.bytes))).toBe(true);
    const erasure = blobsOf(join(server.dataDir, 'erasure.db'));

    const rows = databasesOf(server.dataDir).flatMap(rowsOf);
    expect(rows.length).toBeGreaterThan(500);
    expect(traces.spans.length).toBeGreaterThan(100);
    expect(search(secrets, [...leftBehind(), ...rows])).toEqual([]);
    // The same search finds one that is really there.
    const planted = secrets.find(({ name }) => name.startsWith('L3'))!;
    writeFileSync(join(server.dataDir, 'planted'), `{"k":"${planted.bytes.toString('hex')}"}`);
    expect(search(secrets, filesOf(server.dataDir, ['operator-token']))).toEqual([
      expect.stringMatching(/^L3 .* in planted$/),
      expect.stringMatching(/^draw .* by hierarchy .* in planted$/),
    ]);
    removeFolder(join(server.dataDir, 'planted'));

    const token = Buffer.from(server.operatorToken);
    const said = [...bearers, { name: 'operator token', bytes: token }];
    const owned = { name: 'plaintext', bytes: Buffer.from(PLAINTEXT) };
    expect(search(said, [...leftBehind(), ...rows])).toEqual([]);
    const kept = [
      ...filesOf(server.dataDir),
      ...filesOf(folder).filter(({ name }) => name === 'server.log'),
    ];
    expect(search([owned], kept)).toEqual([]);

    await shredAcme([...vault, ...erasure].filter(([path]) => path.split('/')[1] === 'acme'));
    await server.stop();
    const after = databasesOf(server.dataDir).flatMap(rowsOf);
    const all = [...secrets, ...drawsIn(drawsFile).map(({ bytes, by }) => ({ name: by, bytes }))];
    expect(search(all, [...leftBehind(), ...after])).toEqual([]);
  }, 60_000);
});

/** Kills and shreds, and looks at the databases while the server runs on. */
async function shredAcme(wrapped: readonly (readonly [string, Buffer])[]): Promise<void> {
  const stores = () =>
    filesOf(server.dataDir).filter(({ name }) => /^(vault|erasure)\.db(-wal)?$/.test(name));
  // A blob may lie over two pages, so it is looked for in pieces.
  const pieces = wrapped.flatMap(([name, blob]) =>
    Array.from({ length: Math.floor(blob.length / 16) }, (_, at) => ({
      name: `${name}+${at}`,
      bytes: blob.subarray(at * 16, at * 16 + 16),
    })),
  );
  const found = () => {
    const where = stores();
    return pieces.filter(({ bytes }) => where.some((place) => place.bytes.includes(bytes)));
  };
  const erased = new Set(wrapped.map(([path]) => path.split('/')[0]));
  expect(erased).toEqual(new Set(['cred', 'l2', 'l3', 'tek']));
  expect(found().length).toBeGreaterThan(pieces.length * 0.8);

  await server.start();
  await unseal();
  const path = '/v1/tenants/acme/revocations';
  const { id } = await server.must<{ id: string }>('POST', path, {
    token: acme.anna,
    body: { kind: 'kill', scope: { all: true }, reason: { code: 'exit' } },
  });
  await server.must('POST', `${path}/${id}/shred`, { token: acme.boris, body: {} });
  await server.until('the end of the shred', async () => {
    const { stage } = await server.must('GET', `${path}/${id}`, { token: acme.auditor });
    return stage === 'shredded';
  });
  expect(found().map(({ name }) => name)).toEqual([]);
  expect(
    (await edge('acme', 'decrypt', { ciphertext: records[0]!.bytes.toString('base64') })).status,
  ).toBe(403);
}
