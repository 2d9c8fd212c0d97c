import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { openMongoReadModels } from '@kcm/read-models/mongodb';
import { openMongoBlobStore } from '@kcm/vault/mongodb';
import { startMongoStandin } from '../../scripts/services/mongo-standin.mjs';
import { MongoLine } from '../support/mongo-line.js';

const PASSWORD = 'very-secret-password';

/** One line with a code, and nothing of the password in it or in what hangs on it. */
async function refusal(url: string): Promise<string> {
  const thrown: unknown[] = [];
  for (const open of [openMongoReadModels, openMongoBlobStore])
    await open({ url, reachMsMax: 300, role: 'vault' }).then(
      (store) => store.close(),
      (error: unknown) => thrown.push(error),
    );
  const [one, other] = thrown as { message: string; code: string; cause?: unknown }[];
  expect(thrown).toHaveLength(2);
  expect(other!.message).toBe(one!.message);
  expect(one!.message).not.toContain('\n');
  expect(one!.message).not.toContain(PASSWORD);
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

  it.each([
    [18, 'AuthenticationFailed', /refused the credentials\.$/],
    [13, 'Unauthorized', /does not let this user do it\.$/],
  ])('the server answers %i %s', async (code, codeName, said) => {
    const standin = await startMongoStandin();
    // The stand-in knows no users: its answer to a log-in is a double's.
    const answer = (command: string) =>
      command === 'saslStart' ? { ok: 0, code, codeName, errmsg: `${codeName}.` } : null;
    const line = await MongoLine.open(standin.address, null, answer);
    const url = `mongodb://user:${PASSWORD}@${line.address}/kcm?authMechanism=SCRAM-SHA-256`;
    expect(await refusal(url)).toMatch(said);
    line.end();
    await standin.stop();
  });

  it.each([
    { wire: 6, version: '3.6.0' },
    { wire: 9, version: '4.4.0' },
  ])('an older server: %j', async ({ wire, version }) => {
    const standin = await startMongoStandin({ wire, version });
    expect(await refusal(`mongodb://${standin.address}/kcm`)).toMatch(
      /^ledger_unavailable: MongoDB at .*: MongoDB 5\.0 or newer is needed\.$/,
    );
    await standin.stop();
  });
});
