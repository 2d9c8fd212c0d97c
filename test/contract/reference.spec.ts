import type { Answer } from '../support/http.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';

interface Operation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly requestBody?: { content: { 'application/json': { example?: unknown } } };
  readonly responses: { readonly [status: string]: { readonly 'x-kcm-codes'?: readonly string[] } };
}
interface Described {
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
}

const folder = scratchFolder('reference');
const server = new Server(folder, { env: { KCM_SEAL: 'shamir', KCM_LOG_LEVEL: 'fatal' } });
let described: Described;
beforeAll(async () => {
  await server.start();
  described = (await (await fetch(`${server.url}/openapi.json`)).json()) as Described;
}, 60_000);
afterAll(async () => {
  await server.stop();
  removeFolder(folder);
});

let shares: readonly string[] | null = null;
async function initialize(): Promise<readonly string[]> {
  const body = { shares: 2, threshold: 2 };
  shares ??= (await server.must<{ shares: string[] }>('POST', '/v1/sys/init', { body })).shares;
  return shares;
}
async function unseal(): Promise<void> {
  const { sealed } = await server.must<{ sealed: boolean }>('GET', '/v1/sys/status');
  if (!sealed && shares !== null) return;
  for (const share of await initialize())
    await server.must('POST', '/v1/sys/unseal', { body: { share } });
}

const operations = () =>
  Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );

describe('The reference page', () => {
  it('is served to anybody while the region is sealed, whole and by this server alone', async () => {
    const moved = await fetch(`${server.url}/docs`);
    expect([moved.status, new URL(moved.url).pathname]).toEqual([200, '/docs/']);
    const page = await moved.text();
    const named = [...page.matchAll(/(?:src|href|url|cdn)"?\s*[=:]\s*"([^"]*)"/g)];
    expect(named.map(([, at]) => at)).toEqual(['js/scalar.js', '../openapi.json']);
    expect(page).not.toMatch(/https?:|\/\/[a-z]+\./);
    const script = await fetch(new URL('js/scalar.js', moved.url));
    expect([script.status, script.headers.get('content-type')]).toEqual([
      200,
      'application/javascript; charset=utf-8',
    ]);
    expect((await script.text()).length).toBeGreaterThan(1_000_000);
  });

  it('sends its script small, and not again to who has it', async () => {
    const path = '/docs/js/scalar.js';
    const asked = { 'accept-encoding': 'br, gzip' };
    const packed = await server.ask('GET', path, { headers: asked });
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    const plain = await server.ask('GET', path, { headers: { 'accept-encoding': 'gzip;q=0' } });
    expect(plain.headers['content-encoding']).toBeUndefined();
    const bytes = ({ headers }: Answer) => Number(headers['content-length']);
    expect(bytes(packed)).toBeLessThan(bytes(plain) / 2);
    const unpacked = await fetch(`${server.url}${path}`, { headers: asked });
    expect(await unpacked.text()).toBe(plain.text);
    const tag = String(packed.headers.etag);
    const again = await server.ask('GET', path, { headers: { 'if-none-match': tag } });
    expect([again.status, again.text, again.headers.etag]).toEqual([304, '', tag]);
  });

  it('refuses a Host that is none by name', async () => {
    const answer = await server.ask('GET', '/docs/', { headers: { host: '[' } });
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid_request']);
  });

  it('may run no script but those two, and fetch, load or send nothing anywhere else', async () => {
    const page = await fetch(`${server.url}/docs/`);
    const text = await page.text();
    const [, inline] = /<script type[^>]*>([\s\S]*?)<\/script>/.exec(text)!;
    const digest = await crypto.subtle.digest('SHA-256', Buffer.from(inline!));
    const hash = Buffer.from(digest).toString('base64');
    const rules = page.headers.get('content-security-policy')!.split('; ');
    const policy = Object.fromEntries(rules.map((rule) => rule.split(/ (.*)/, 2)));
    expect(policy).toEqual({
      'default-src': "'none'",
      'script-src': `'self' 'sha256-${hash}'`,
      'style-src': "'self' 'unsafe-inline'",
      'connect-src': "'self'",
      'img-src': "'self' data:",
      'font-src': "'self' data:",
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-ancestors': "'none'",
    });
    expect(text.match(/<script/g)).toHaveLength(2);
    expect(text).toContain('"telemetry": false');
    expect(text).toContain('"withDefaultFonts": false');
  });
});

describe('The description of the routes', () => {
  it('has each under one heading that is explained, and says what it does and who may', () => {
    const headings = new Map(described.tags.map((tag) => [tag.name, tag.description]));
    expect(operations().length).toBeGreaterThan(40);
    for (const { name, operation } of operations()) {
      expect([name, operation.tags.map((tag) => headings.has(tag))]).toEqual([name, [true]]);
      expect([name, operation.summary, operation.description]).not.toContain('');
    }
    expect([...headings.keys()].filter((heading) => !usedHeadings().has(heading))).toEqual([]);
  });
  const usedHeadings = () => new Set(operations().flatMap(({ operation }) => operation.tags));

  it('has no reference that leads nowhere', () => {
    const references = [...JSON.stringify(described).matchAll(/"\$ref":"#\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(40);
    const broken = references.filter(([, path]) => {
      const at = path!.split('/').reduce<unknown>((value, key) => {
        return (value as Record<string, unknown> | undefined)?.[key];
      }, described);
      return at === undefined;
    });
    expect([...new Set(broken.map(([, path]) => path))]).toEqual([]);
  });

  it('names every code that a route answers', async () => {
    await initialize();
    const told = new Map(
      operations().map(({ name, operation }) => [name, operation.responses] as const),
    );
    const seen: string[] = [];
    const refuse = async (method: string, path: string, like: string, body?: object) => {
      const answer = await server.ask(method, path, {
        token: server.operatorToken,
        ...(body === undefined ? {} : { body }),
      });
      const { code } = answer.body as { code: string };
      const codes = told.get(`${method} ${like}`)?.[answer.status]?.['x-kcm-codes'] ?? [];
      expect([like, answer.status, codes.includes(code) ? code : codes]).toEqual([
        like,
        answer.status,
        code,
      ]);
      seen.push(code);
    };
    await refuse('GET', '/v1/tenants', '/v1/tenants');
    await refuse('POST', '/v1/sys/init', '/v1/sys/init', { shares: 2, threshold: 2 });
    await refuse('POST', '/v1/sys/unseal', '/v1/sys/unseal', { share: 'kcms1-x' });
    await unseal();
    await refuse('GET', '/v1/tenants/none', '/v1/tenants/{tenant}');
    await refuse('POST', '/v1/tenants', '/v1/tenants', {});
    await server.must('POST', '/v1/tenants', { body: { id: 'acme', name: 'Acme' } });
    const again = { id: 'acme', name: 'Another' };
    await refuse('POST', '/v1/tenants', '/v1/tenants', again);
    const locks = '/v1/tenants/{tenant}/block';
    await refuse('POST', '/v1/tenants/acme/unblock', '/v1/tenants/{tenant}/unblock', {});
    await refuse('POST', '/v1/tenants/none/block', locks, {});
    const services = '/v1/tenants/{tenant}/services';
    await refuse('POST', '/v1/tenants/acme/services', services, { id: 'billing' });
    expect([...new Set(seen)].toSorted()).toEqual([
      'already_exists',
      'forbidden',
      'invalid_request',
      'not_found',
      'sealed',
      'share_refused',
      'wrong_state',
    ]);
  });

  it('gives examples that the routes take', async () => {
    const examples = operations().flatMap(({ name, operation }) => {
      const example = operation.requestBody?.content['application/json'].example as object;
      return example === undefined ? [] : [{ name, example }];
    });
    expect(examples.length).toBeGreaterThan(7);
    await unseal();
    const tokens = {
      key: await server.tokenFor('acme', ['key-admin', 'tenant-admin'], 'anna'),
      operator: server.operatorToken,
    };
    for (const { name, example } of examples) {
      const [method, path] = name.replace('{tenant}', 'acme').split(' ') as [string, string];
      for (const token of Object.values(tokens)) {
        const { body } = await server.ask(method, path, { token, body: example });
        // A request for a certificate and a share are too long to be shown whole.
        const wrong = (body as { errors?: { path: string }[] }).errors ?? [];
        expect([name, wrong.filter((error) => error.path !== 'csr')]).toEqual([name, []]);
      }
    }
  });
});
