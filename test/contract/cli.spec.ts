import { spawn } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'apps', 'cli', 'main.js');
const NOWHERE = { KCM_DATA_DIR: '/nowhere', KCM_TOKEN: 'none' };

/** What kcm says on stderr when its standard input comes `afterMs` after its start. */
function kcmFed(args: readonly string[], input: string, afterMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...NOWHERE };
    const child = spawn(process.execPath, [MAIN, ...args], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk) => (said += String(chunk)));
    child.on('error', reject);
    child.on('close', () => resolve(said));
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
      expect(await kcmFed(args, 'late', 800)).toMatch(/No server is running|No Edge serves/);
    },
    20_000,
  );
});
