import { spawn } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'apps', 'cli', 'main.js');
const NOWHERE = { KCM_DATA_DIR: '/nowhere', KCM_TOKEN: 'none' };

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** Exit code, and what kcm says on stderr, when its standard input comes `afterMs` after its start. */
function kcmFed(args: readonly string[], input: string, afterMs = 0): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...NOWHERE };
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

  it.each([
    ['tenant', 'create'],
    ['tenant', 'create', 'acme', '--lease-seconds', 'soon'],
    ['audit', 'search', '--tenant', 'acme', '--limit', 'all'],
    ['keystore', 'delete', 'acme', '--days', '-1'],
  ])(
    '%s ends with 2 when its words are wrong',
    async (...args) => {
      expect((await kcmFed(args, '')).code).toBe(2);
    },
    20_000,
  );
});
