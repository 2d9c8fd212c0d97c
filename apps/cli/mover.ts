import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../ledger/main.js', import.meta.url));

/**
 * Runs the program that opens the stores itself and asks no server; what it says is said.
 * @returns its exit code
 */
export const runMover = (args: readonly string[], out: 'inherit' | 'ignore'): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['inherit', out, 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
