import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { LIMITS } from '@kcm/kernel';
import { TestAuthority } from '@kcm/testing/tls';
import { readIssuer } from './read-issuer.js';

type Page = {
  readonly status?: number;
  readonly location?: string;
  readonly text: string;
  /** What comes after `text`, again and again; `everyMs` 0: as fast as it is taken. */
  readonly endless?: { readonly more: string; readonly everyMs: number };
  /** The connection is lost after `text`. */
  readonly cut?: boolean;
};

describe('What an issuer publishes', () => {
  let server: Server;
  let url: string;
  let pages: Record<string, Page>;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const page = pages[request.url!] ?? { status: 404, text: '' };
      const { status = 200, location, text, endless, cut } = page;
      response.writeHead(status, location === undefined ? {} : { location });
      if (cut === true) {
        response.write(text, () => response.destroy());
      } else if (endless === undefined) {
        response.end(text);
      } else {
        response.write(text);
        const writing = setInterval(() => response.write(endless.more), endless.everyMs);
        response.on('close', () => clearInterval(writing));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const keys = JSON.stringify({ keys: [{ kty: 'RSA', kid: 'a' }] });
  const metadata = (more: object = {}) =>
    JSON.stringify({ issuer: url, jwks_uri: `${url}/keys`, ...more });
  const at = (discovery: Page, set: Page = { text: keys }) => {
    pages = { '/.well-known/openid-configuration': discovery, '/keys': set };
  };
  const read = (signal = new AbortController().signal) => readIssuer({ issuer: url }, signal);

  it('is read by discovery', async () => {
    at({ text: metadata() });
    expect(await read()).toEqual(JSON.parse(keys));
  });

  it.each<[string, string, () => [Page, Page?]]>([
    ['nothing', 'answers 404', () => [{ status: 404, text: '' }]],
    ['a redirect', 'answers 302', () => [{ status: 302, location: '/keys', text: '' }]],
    ['no JSON', 'no JSON', () => [{ text: '<html>' }]],
    ['metadata of another', 'another issuer', () => [{ text: metadata({ issuer: `${url}/` }) }]],
    ['no jwks_uri', 'lack', () => [{ text: JSON.stringify({ issuer: url }) }]],
    [
      'keys over plain HTTP elsewhere',
      'not an https URL',
      () => [{ text: metadata({ jwks_uri: 'http://192.0.2.1/keys' }) }],
    ],
    ['no key set', 'no key set', () => [{ text: metadata() }, { text: '{"keys":{}}' }]],
    [
      'too much',
      'answers too much',
      () => [{ text: metadata() }, { text: ' '.repeat(LIMITS.oidcAnswerBytesMax + 1) + keys }],
    ],
    [
      'keys without an end',
      'answers too much',
      () => [
        { text: metadata() },
        { text: '{"keys":[', endless: { more: ' '.repeat(65_536), everyMs: 1 } },
      ],
    ],
    ['half of it', 'ECONNRESET', () => [{ text: metadata() }, { text: '{"keys":[', cut: true }]],
    ['metadata that are no object', 'lack', () => [{ text: '[]' }]],
    [
      'more keys than anybody needs',
      'no key set',
      () => [
        { text: metadata() },
        { text: JSON.stringify({ keys: Array.from({ length: 101 }, () => ({ kty: 'RSA' })) }) },
      ],
    ],
  ])('is refused: %s', async (_, reason, answers) => {
    at(...answers());
    await expect(read()).rejects.toMatchObject({
      name: 'IssuerUnusable',
      message: expect.stringContaining(reason) as string,
    });
  });

  it('does not wait for what comes byte by byte', async () => {
    at({ text: metadata() }, { text: '{"keys":[', endless: { more: ' ', everyMs: 5 } });
    await expect(read(AbortSignal.timeout(150))).rejects.toMatchObject({
      name: 'IssuerUnusable',
      message: expect.stringContaining('no answer in time') as string,
    });
  });

  it('that nobody answers is told by the reason', async () => {
    await expect(
      readIssuer({ issuer: 'http://127.0.0.1:1' }, new AbortController().signal),
    ).rejects.toMatchObject({ name: 'IssuerUnusable' });
  });
});

describe('An issuer over HTTPS', () => {
  let server: TlsServer;
  let issuer: string;
  let own: TestAuthority;
  let asked: number;
  beforeAll(async () => {
    own = await TestAuthority.create('issuer');
    const { certificate, privateKey } = await own.server();
    server = createTlsServer({ cert: certificate, key: privateKey }, (request, response) => {
      asked += 1;
      const keys = { keys: [{ kty: 'RSA', kid: 'a' }] };
      const found = { issuer, jwks_uri: `${issuer}/keys` };
      response.end(JSON.stringify(request.url === '/keys' ? keys : found));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    asked = 0;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const read = (ca?: string) => readIssuer({ issuer, ca }, new AbortController().signal);

  it('is read under the authority that is given', async () => {
    expect(await read(own.ca)).toMatchObject({ keys: [{ kid: 'a' }] });
  });

  it('is not read under another one, nor under the usual ones, and is asked nothing', async () => {
    const other = await TestAuthority.create('other');
    for (const ca of [other.ca, undefined])
      await expect(read(ca)).rejects.toMatchObject({ name: 'IssuerUnusable' });
    expect(asked).toBe(0);
  });
});
