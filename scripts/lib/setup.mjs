// Brings what a bare machine lacks: the packages of the lock file (Node 24 among them) and the build.
// Plain JavaScript for Node 20: it runs before anything is installed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say } from './say.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const node24 = join(root, 'node_modules', 'node', 'bin', 'node');
const SOURCES = ['apps', 'libs', 'projections', 'demo'];

/** Runs a program to its end; resolves with its exit code. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      resolve(code ?? (signal ? 1 : 0));
    });
  });
}

/** Environment in which `node` is Node 24. */
export const env24 = () => ({
  ...process.env,
  PATH: `${dirname(node24)}:${process.env.PATH ?? ''}`,
});

const hashOf = (text) => createHash('sha256').update(text).digest('hex');
const stamp = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

export async function ensurePackages() {
  const want = hashOf(readFileSync(join(root, 'package-lock.json')));
  const file = join(root, 'node_modules', '.openkcm-installed');
  if (stamp(file) === want && existsSync(node24)) return;
  say('installing the packages of package-lock.json (about a minute the first time)');
  for (let attempt = 1; ; attempt += 1) {
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
    const code = await run('npm', args, { stdio: ['ignore', 2, 2] });
    if (code === 0 && existsSync(node24)) break;
    if (attempt === 3) {
      throw new Error(
        'npm ci failed three times: is the npm registry reachable? See the lines above.',
      );
    }
    say(`npm ci failed (exit ${code}); trying again in ${attempt * 5} s`);
    await new Promise((resolve) => setTimeout(resolve, attempt * 5000));
  }
  writeFileSync(file, want);
}

function fingerprint() {
  const hash = createHash('sha256').update(readFileSync(join(root, '.swcrc')));
  const walk = (dir) => {
    for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) walk(path);
      else {
        const { mtimeMs, size } = statSync(path);
        hash.update(`${path}\0${mtimeMs}\0${size}\n`);
      }
    }
  };
  for (const dir of SOURCES) if (existsSync(join(root, dir))) walk(join(root, dir));
  return hash.digest('hex');
}

export async function ensureBuild() {
  await ensurePackages();
  const want = fingerprint();
  const file = join(root, 'dist', '.stamp');
  if (stamp(file) === want) return;
  say('building');
  const dirs = SOURCES.filter((dir) => existsSync(join(root, dir)));
  const ignore = ['--ignore', '**/*.spec.ts,**/golden/**,**/testing/**'];
  const args = ['node_modules/@swc/cli/bin/swc.js', ...dirs, '-d', 'dist', '--delete-dir-on-start'];
  const code = await run(node24, [...args, ...ignore, '--copy-files', '--quiet'], {
    stdio: ['ignore', 2, 2],
  });
  if (code !== 0) throw new Error('the build failed; see the lines above');
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(file, want);
}
