import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LIMITS } from '@kcm/kernel';
import { readIssuer } from './read-issuer.js';

type Page = { readonly status?: number; readonly location?: string; readonly text: string };

describe('What an issuer publishes', () => {
  let server: Server;
  let url: string;
  let pages: Record<string, Page>;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const page = pages[request.url!] ?? { status: 404, text: '' };
      const { status = 200, location, text } = page;
      response.writeHead(status, location === undefined ? {} : { location }).end(text);
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
  const read = () => readIssuer(url, new AbortController().signal);

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
  ])('is refused: %s', async (_, reason, answers) => {
    at(...answers());
    await expect(read()).rejects.toMatchObject({
      name: 'IssuerUnusable',
      message: expect.stringContaining(reason) as string,
    });
  });

  it('that nobody answers is told by the reason', async () => {
    await expect(
      readIssuer('http://127.0.0.1:1', new AbortController().signal),
    ).rejects.toMatchObject({ name: 'IssuerUnusable' });
  });
});
