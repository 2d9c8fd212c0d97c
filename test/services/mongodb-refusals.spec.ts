import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { openMongoReadModels } from '@kcm/read-models/mongodb';
import { openMongoBlobStore } from '@kcm/vault/mongodb';
import { TestAuthority } from '@kcm/testing/tls';
import { startMongoStandin } from '../../scripts/services/mongo-standin.mjs';
import { MongoLine } from '../support/mongo-line.js';
import { TlsLine } from '../support/tls-line.js';

const PASSWORD = 'very-secret-password';

/** A server that answers is waited for: a busy machine takes its time. */
const ANSWERED_MS_MAX = 10_000;
/** … and one to which the driver goes back until its time is over. */
const ASKED_AGAIN_MS = 2_000;

/** One line with a code, and nothing of the password in it or in what hangs on it. */
async function refusal(url: string, reachMsMax = 300): Promise<string> {
  const thrown: unknown[] = [];
  for (const open of [openMongoReadModels, openMongoBlobStore])
    await open({ url, reachMsMax, role: 'vault' }).then(
      (store) => store.close(),
      (error: unknown) => thrown.push(error),
    );
  const [one, other] = thrown as { message: string; code: string; cause?: unknown }[];
  expect(thrown).toHaveLength(2);
  expect(other!.message).toBe(one!.message);
  expect(one!.message).not.toContain('\n');
  for (const error of thrown) expect(inspect(error, { depth: 10 })).not.toContain(PASSWORD);
  expect(one!.cause).toBeUndefined();
  return `${one!.code}: ${one!.message}`;
}

describe('a MongoDB that cannot be used is refused in one line', () => {
  it.each([
    'mongodb://',
    'mongodb:///kcm',
    'postgres://127.0.0.1/kcm',
    'mongodb://127.0.0.1:99999/kcm',
    `mongodb://user:${PASSWORD}@127.0.0.1:27017/a/b`,
    `mongodb://user:${PASSWORD}@127.0.0.1:27017/kcm?nonsense=1`,
    `mongodb://us%er:${PASSWORD}%@127.0.0.1:27017/kcm`,
  ])('no address: %s', async (url) => {
    expect(await refusal(url)).toMatch(/^invalid_request: .*mongodb:\/\/host:port\/database/);
  });

  it('nobody listens there', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(await refusal(`mongodb://user:${PASSWORD}@127.0.0.1:${port}/kcm`)).toMatch(
      new RegExp(`^ledger_unavailable: MongoDB at 127.0.0.1:${port} cannot be reached: .*REFUSED`),
    );
  });

  it('something that is no MongoDB listens there', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await refusal(`mongodb://127.0.0.1:${port}/kcm`)).toMatch(
      /^ledger_unavailable: MongoDB at 127.0.0.1:\d+ cannot be reached/,
    );
    server.close();
  });

  it('a certificate of an authority that nobody named; named, it opens', async () => {
    const authority = await TestAuthority.create();
    const standin = await startMongoStandin();
    const line = await TlsLine.open(standin.address, await authority.server());
    const folder = mkdtempSync(join(tmpdir(), 'kcm-mongo-'));
    const caFile = join(folder, 'ca.pem');
    writeFileSync(caFile, authority.ca);
    const at = (options: string, user = '') =>
      `mongodb://${user}${line.address}/kcm?tls=true${options}`;
    const user = `user:${PASSWORD}@`;
    expect(await refusal(at('', user), ASKED_AGAIN_MS)).toBe(
      `forbidden: MongoDB at ${line.address} shows a certificate that is not trusted: ` +
        'name its authority by tlsCAFile.',
    );
    expect(await refusal(at('&tlsCAFile=/nowhere.pem', user))).toBe(
      'invalid_request: A certificate file of the MongoDB address is not there.',
    );
    const url = at(`&tlsCAFile=${encodeURIComponent(caFile)}`);
    await (await openMongoReadModels({ url })).close();
    rmSync(folder, { recursive: true });
    line.end();
    await standin.stop();
  });

  it('no TLS where it is needed, and TLS where there is none', async () => {
    const standin = await startMongoStandin();
    const certificate = await (await TestAuthority.create()).server();
    const line = await TlsLine.open(standin.address, certificate);
    const cannot = /^ledger_unavailable: MongoDB at .* cannot be reached: /;
    expect(await refusal(`mongodb://user:${PASSWORD}@${line.address}/kcm`)).toMatch(cannot);
    const plain = `mongodb://user:${PASSWORD}@${standin.address}/kcm?tls=true`;
    expect(await refusal(plain)).toMatch(cannot);
    line.end();
    await standin.stop();
  });

  it.each([
    [18, 'AuthenticationFailed', /^forbidden: .* refused the credentials\.$/],
    [13, 'Unauthorized', /^forbidden: .* does not let this user do it\.$/],
  ])('the server answers %i %s', async (code, codeName, said) => {
    const standin = await startMongoStandin();
    // The stand-in knows no users: its answer to a log-in is a double's.
    const answer = (command: string) =>
      command === 'saslStart' ? { ok: 0, code, codeName, errmsg: `${codeName}.` } : null;
    const line = await MongoLine.open(standin.address, null, answer);
    const url = `mongodb://user:${PASSWORD}@${line.address}/kcm?authMechanism=SCRAM-SHA-256`;
    expect(await refusal(url, ANSWERED_MS_MAX)).toMatch(said);
    line.end();
    await standin.stop();
  });

  it.each([
    { wire: 6, version: '3.6.0' },
    { wire: 9, version: '4.4.0' },
  ])('an older server: %j', async ({ wire, version }) => {
    const standin = await startMongoStandin({ wire, version });
    expect(await refusal(`mongodb://${standin.address}/kcm`, ASKED_AGAIN_MS)).toMatch(
      /^forbidden: MongoDB at .*: MongoDB 5\.0 or newer is needed\.$/,
    );
    await standin.stop();
  });
});
