import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, promisify } from 'node:util';
import { jest } from '@jest/globals';
import { systemRandom } from '@kcm/kernel';
import { openEventStoreLedger } from '@kcm/ledger/eventstoredb';
import { TestAuthority } from '@kcm/testing/tls';
import { type DoubleOptions, EventStoreDouble } from '../support/eventstoredb-double.js';

const PASSWORD = 'very-secret-password';
const CALL_MS_MAX = 1_000;

/** What the adapter says of a server that it cannot use; the servers are those of the wire double. */
describe('an EventStoreDB that cannot be used is refused in one line', () => {
  const double = EventStoreDouble.begin();
  const folder = mkdtempSync(join(tmpdir(), 'kcm-esdb-'));
  const caFile = join(folder, 'ca.pem');
  let tls: NonNullable<DoubleOptions['tls']>;
  beforeAll(async () => {
    const authority = await TestAuthority.create();
    writeFileSync(caFile, authority.ca);
    tls = await authority.server();
  });
  afterAll(async () => {
    await double.end();
    rmSync(folder, { recursive: true });
  });

  /** One line with a code, soon, and nothing of the password in it or in what hangs on it. */
  async function refusal(url: string): Promise<string> {
    const begun = Date.now();
    const opening = openEventStoreLedger({ url, random: systemRandom, callMsMax: CALL_MS_MAX });
    const error = await opening.then(
      async (ledger) => {
        await ledger.close();
        throw new Error('It was opened.');
      },
      (thrown: unknown) => thrown as { code: string; message: string },
    );
    expect(Date.now() - begun).toBeLessThan(CALL_MS_MAX + 4_000);
    expect(error.message).not.toContain('\n');
    expect(inspect(error, { depth: 10 })).not.toContain(PASSWORD);
    expect(inspect(error, { depth: 10 })).not.toContain(
      Buffer.from(`admin:${PASSWORD}`).toString('base64'),
    );
    return `${error.code}: ${error.message}`;
  }

  it.each([
    'esdb://',
    `postgres://admin:${PASSWORD}@127.0.0.1/kcm`,
    `esdb://admin:${PASSWORD}@127.0.0.1:none?tls=false`,
    `esdb://admin:${PASSWORD}@127.0.0.1:2113?tls=perhaps`,
  ])('no address: %s', async (url) => {
    expect(await refusal(url)).toBe(
      'invalid_request: The connection string of EventStoreDB is none.',
    );
  });

  it.each([
    ['nonsense=1', 'has an option that its client does not know.'],
    ['tls=false&tls-verify-cert=false', /^asks for unverified certificates: /],
  ])('an option that the client would warn of, with the password: %s', async (options, said) => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const refused = await refusal(`esdb://admin:${PASSWORD}@127.0.0.1:1?${options}`);
    expect(warn.mock.calls).toEqual([]);
    warn.mockRestore();
    const before = 'invalid_request: The connection string of EventStoreDB ';
    expect(refused.slice(0, before.length)).toBe(before);
    expect(refused.slice(before.length)).toMatch(said);
  });

  it('a certificate file that is not there', async () => {
    expect(await refusal('esdb://127.0.0.1:2113?tlsCAFile=/nowhere.pem')).toBe(
      'invalid_request: The connection string of EventStoreDB names a certificate file that is not there.',
    );
  });

  it.each(['esdb', 'esdb+discover'])('nobody listens there: %s', async (scheme) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(await refusal(`${scheme}://127.0.0.1:${port}?tls=false`)).toBe(
      'ledger_unavailable: The ledger cannot be reached.',
    );
  });

  it('somebody listens there who never answers; who asked ends by itself', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const url = `esdb://127.0.0.1:${port}?tls=false`;
    expect(await refusal(url)).toBe('ledger_unavailable: The ledger cannot be reached.');
    expect(await saidByChild(url)).toBe('ledger_unavailable');
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it('a certificate of an authority that nobody named; named, it opens', async () => {
    const { address } = await double.store({ tls });
    expect(await refusal(`esdb://${address}`)).toBe(
      'forbidden: EventStoreDB shows a certificate that is not trusted: ' +
        'name its authority by tlsCAFile.',
    );
    const url = `esdb://${address}?tlsCAFile=${encodeURIComponent(caFile)}`;
    await (await openEventStoreLedger({ url, random: systemRandom })).close();
  });

  it('no TLS where it is needed, and TLS where there is none', async () => {
    const secure = await double.store({ tls });
    const open = await double.store();
    expect(await refusal(`esdb://${secure.address}?tls=false`)).toMatch(/^ledger_unavailable: /);
    expect(await refusal(`esdb://${open.address}?tls=true`)).toMatch(/^ledger_unavailable: /);
  });

  it('other credentials, or none; the right ones open it', async () => {
    const { address } = await double.store({ tls, user: `admin:${PASSWORD}` });
    const at = (user: string) => `esdb://${user}${address}?tlsCAFile=${encodeURIComponent(caFile)}`;
    const said = 'forbidden: EventStoreDB refuses our credentials.';
    expect(await refusal(at(''))).toBe(said);
    expect(await refusal(at(`other:${PASSWORD}@`))).toBe(said);
    expect(await refusal(at(`admin:${PASSWORD}x@`))).toBe(said);
    const url = at(`admin:${PASSWORD}@`);
    await (await openEventStoreLedger({ url, random: systemRandom })).close();
  });

  it.each<[string, DoubleOptions]>([
    ['EventStoreDB is 21.10.9.0: 22.10 or newer is needed.', { version: '21.10.9.0' }],
    ['EventStoreDB is 22.6.0: 22.10 or newer is needed.', { version: '22.6.0' }],
    ['EventStoreDB is too old to tell its version: 22.10 or newer is needed.', { version: null }],
    ['EventStoreDB lacks a call: 22.10 or newer is needed.', { lacks: ['read'] }],
    ['EventStoreDB lacks a call: 22.10 or newer is needed.', { lacks: ['append'] }],
  ])('an older server: %s', async (said, options) => {
    const { url } = await double.store(options);
    expect(await refusal(url)).toBe(`forbidden: ${said}`);
  });

  it.each(['22.10.0.0', '24.10.2', '25.1.0', 'built-by-hand'])(
    '%s is new enough',
    async (version) => {
      const { url } = await double.store({ version });
      await (await openEventStoreLedger({ url, random: systemRandom })).close();
    },
  );

  it.each<[string, DoubleOptions]>([
    ['opened and closed', {}],
    ['forbidden', { version: '21.10.9.0' }],
    ['forbidden', { lacks: ['append'] }],
  ])('who closed it, or was refused, ends by itself: %s %j', async (said, options) => {
    const { url } = await double.store(options);
    expect(await saidByChild(url)).toBe(said);
  });
});

const CHILD = `
  import { openEventStoreLedger } from './dist/libs/ledger/eventstoredb/index.js';
  import { systemRandom } from './dist/libs/kernel/index.js';
  const [, url] = process.argv;
  try {
    const ledger = await openEventStoreLedger({ url, random: systemRandom, callMsMax: 1000 });
    for await (const _item of ledger.feed('start', new AbortController().signal)) break;
    await ledger.close();
    console.log('opened and closed');
  } catch (error) {
    console.log(error.code);
  }`;

/** What a process says that opens it and closes it. @throws when it does not end by itself */
async function saidByChild(url: string): Promise<string> {
  const args = ['--input-type=module', '-e', CHILD, url];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 8_000 });
  return stdout.trim();
}
