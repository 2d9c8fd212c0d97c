// Brings what a bare machine lacks: the packages of the lock file (Node 24 among them) and the build.
// Plain JavaScript for Node 20: it runs before anything is installed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alone } from './lock.mjs';
import { say } from './say.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const node24 = join(root, 'node_modules', 'node', 'bin', 'node');
/** What the build is of stands there alone, and `nest build` reads it too. */
const NEST = join(root, 'nest-cli.json');
const SOURCES = JSON.parse(readFileSync(NEST, 'utf8')).compilerOptions.builder.options.filenames;

const STILL_MS = 15_000;

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

/** Others that set up the same checkout at the same time wait for whoever was first. */
const setUp = (work) =>
  alone(join(root, '.setup-lock'), work, (pid) => say(`waiting for process ${pid} to set up`));

const INSTALLED = join(root, 'node_modules', '.openkcm-installed');
const packagesWanted = () => hashOf(readFileSync(join(root, 'package-lock.json')));
const arePackagesThere = () => stamp(INSTALLED) === packagesWanted() && existsSync(node24);

/** Says every now and then that it is still at it: npm itself says nothing. */
async function patiently(what, work) {
  const began = Date.now();
  const timer = setInterval(() => {
    say(`still ${what} (${Math.round((Date.now() - began) / 1000)} s)`);
  }, STILL_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

async function install() {
  if (arePackagesThere()) return;
  const want = packagesWanted();
  say('installing the packages of package-lock.json (about a minute the first time)');
  for (let attempt = 1; ; attempt += 1) {
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
    const code = await patiently('installing', run('npm', args, { stdio: ['ignore', 2, 2] }));
    if (code === 0 && existsSync(node24)) break;
    if (attempt === 3) {
      throw new Error(
        'npm ci failed three times: is the npm registry reachable? See the lines above.',
      );
    }
    say(`npm ci failed (exit ${code}); trying again in ${attempt * 5} s`);
    await new Promise((resolve) => setTimeout(resolve, attempt * 5000));
  }
  writeFileSync(INSTALLED, want);
}

export async function ensurePackages() {
  if (!arePackagesThere()) await setUp(install);
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const file of ['.swcrc', 'tsconfig.json', NEST]) {
    hash.update(readFileSync(resolve(root, file)));
  }
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

const BUILT = join(root, 'dist', '.stamp');

async function build() {
  await install();
  const want = fingerprint();
  if (stamp(BUILT) === want) return;
  say('building');
  const args = ['node_modules/@nestjs/cli/bin/nest.js', 'build'];
  const code = await run(node24, args, { env: env24(), stdio: ['ignore', 2, 2] });
  if (code !== 0) throw new Error('the build failed; see the lines above');
  writeFileSync(BUILT, want);
}

export async function ensureBuild() {
  if (!arePackagesThere() || stamp(BUILT) !== fingerprint()) await setUp(build);
}
