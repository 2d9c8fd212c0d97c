import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'apps', 'cli', 'main.js');
const NOWHERE = { KCM_DATA_DIR: '/nowhere', KCM_TOKEN: 'none' };

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** Exit code, and what kcm says on stderr, when its standard input comes `afterMs` after its start. */
function kcmFed(
  args: readonly string[],
  input: string,
  afterMs = 0,
  more: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...NOWHERE, ...more };
    const child = spawn(process.execPath, [MAIN, ...args], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk) => (said += String(chunk)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, said }));
    child.stdin.on('error', () => undefined);
    setTimeout(() => child.stdin.end(input), afterMs);
  });
}

describe('kcm', () => {
  it.each([
    ['unseal', '--share', '-'],
    ['encrypt', '--tenant', 'acme'],
    ['decrypt', '--tenant', 'acme'],
    ['rewrap', '--tenant', 'acme'],
    ['data-key', 'unwrap', '--tenant', 'acme'],
  ])(
    '%s waits for what is slow to come on standard input',
    async (...args) => {
      const { said } = await kcmFed(args, 'late', 800);
      expect(said).toMatch(/No server is running|No Edge serves/);
    },
    20_000,
  );

  it('ends quietly when nobody reads on what it prints', async () => {
    const child = spawn(process.execPath, [MAIN, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let said = '';
    child.stderr.on('data', (chunk) => (said += String(chunk)));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, said }).toEqual({ code: 0, said: '' });
  }, 20_000);

  it.each([
    ['status'],
    ['tenant', 'list'],
    ['encrypt', '--tenant', 'acme'],
    ['keystore', 'disable', 'acme', '--data', '/nowhere'],
  ])(
    '%s ends with 3 where nothing runs',
    async (...args) => {
      expect((await kcmFed(args, '')).code).toBe(3);
    },
    20_000,
  );

  it('says which file it cannot read, and nothing of what is in one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kcm-cli-'));
    try {
      const file = join(folder, 'credentials.json');
      writeFileSync(file, 'token=hidden');
      const connect = ['rootkey', 'connect', '--tenant', 'acme', '--keystore', 'software'];
      const { code, said } = await kcmFed([...connect, '--credentials-file', file], '');
      const help = '(--help after the command shows its options and an example)';
      const told = `kcm: ${file} does not hold a JSON object.\n${help}\n`;
      expect({ code, said }).toEqual({ code: 2, said: told });
      const gone = await kcmFed([...connect, '--credentials-file', join(folder, 'none')], '');
      expect(gone).toMatchObject({ code: 2, said: expect.stringMatching(/ENOENT/) as string });
      const endless = await kcmFed([...connect, '--credentials-file', '/dev/zero'], '');
      expect(endless.code).toBe(2);
      expect(endless.said).toMatch(/^kcm: \/dev\/zero is over \d+ bytes\.\n/);
      const env = { KCM_URL: 'http://127.0.0.1:1', KCM_TOKEN: '', KCM_TOKEN_FILE: '/dev/zero' };
      expect((await kcmFed(['tenant', 'list'], '', 0, env)).said).toContain('/dev/zero is over');
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 20_000);

  it.each([
    ['tenant', 'create'],
    ['tenant', 'create', 'acme', '--lease-seconds', 'soon'],
    ['audit', 'search', '--tenant', 'acme', '--limit', 'all'],
    ['keystore', 'delete', 'acme', '--days', '-1'],
    ['encrypt', '--tenant', 'acme', '--service', '../billing'],
  ])(
    '%s ends with 2 when its words are wrong',
    async (...args) => {
      expect((await kcmFed(args, '')).code).toBe(2);
    },
    20_000,
  );

  it('sends of a policy what its words say and no more: a number, or never', async () => {
    const asked: unknown[] = [];
    const server = createHttpServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        asked.push([request.method, request.url, JSON.parse(body)]);
        response.setHeader('content-type', 'application/json').end('{"id":"acme"}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const env = { KCM_URL: `http://127.0.0.1:${port}` };
    const policy = ['tenant', 'policy', 'acme'];
    const rotation = ['--l3-max-age-seconds', '2592000', '--l2-max-uses', 'never'];
    expect((await kcmFed([...policy, ...rotation], '', 0, env)).code).toBe(0);
    expect((await kcmFed([...policy, '--lease-seconds', '30'], '', 0, env)).code).toBe(0);
    expect((await kcmFed([...policy, '--l3-max-uses', 'ever'], '', 0, env)).code).toBe(2);
    server.close();
    const path = '/v1/tenants/acme/policy';
    expect(asked).toEqual([
      ['PUT', path, { rotation: { L2: { maxUses: null }, L3: { maxAgeSeconds: 2_592_000 } } }],
      ['PUT', path, { leaseSeconds: 30 }],
    ]);
  }, 20_000);

  it('says that the file of KCM_TOKEN_FILE is not there, and calls it nobody’s token', async () => {
    const env = { KCM_URL: 'http://127.0.0.1:1', KCM_TOKEN: '', KCM_TOKEN_FILE: '/nowhere/token' };
    const { code, said } = await kcmFed(['tenant', 'list'], '', 0, env);
    expect(code).toBe(2);
    expect(said).toContain('KCM_TOKEN_FILE names /nowhere/token, which cannot be read');
    expect(said).not.toContain('operator');
  }, 20_000);

  it('keystore serve says that its port is taken, and what to type', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const data = mkdtempSync(join(tmpdir(), 'kcm-cli-'));
    try {
      const words = ['keystore', 'serve', '--data', data, '--port', String(port)];
      const { code, said } = await kcmFed(words, '');
      expect({ code, said }).toMatchObject({
        code: 1,
        said: expect.stringMatching(new RegExp(`port ${port} is taken.*--port`)) as string,
      });
      expect(said).not.toContain('EADDRINUSE');
    } finally {
      other.close();
      rmSync(data, { recursive: true });
    }
  }, 20_000);
});
