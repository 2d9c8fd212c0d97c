// Brings files out of Debian packages into the user's cache without installing anything: strace and
// libfaketime, which the tests of faults need, and GnuPG, as people have it. Plain JavaScript for Node 20.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../lib/say.mjs';
import { cachePath } from '../lib/server-process.mjs';

const ATTEMPTS = 3;

/**
 * A strace that runs: the machine's own, or the one of the Debian package.
 * @returns {Promise<{program: string, env: Record<string, string>}>} env is to be added to the child's
 * @throws Error naming the package when it cannot be had
 */
export async function ensureStrace() {
  if (spawnSync('strace', ['-V']).status === 0) return { program: 'strace', env: {} };
  const folder = await unpacked(['strace', 'libunwind8'], 'usr/bin/strace');
  const libraries = join(folder, 'usr', 'lib', multiarch());
  return { program: join(folder, 'usr/bin/strace'), env: { LD_LIBRARY_PATH: libraries } };
}

/**
 * The path of libfaketime for LD_PRELOAD (the build for programs with threads).
 * @throws Error naming the package when it cannot be had
 */
export async function ensureFaketime() {
  const library = `usr/lib/${multiarch()}/faketime/libfaketimeMT.so.1`;
  return join(await unpacked(['libfaketime'], library), library);
}

/**
 * A GnuPG that runs: the machine's own, or the one of the Debian packages with its agent.
 * @returns {Promise<{program: string, args: string[], env: Record<string, string>}>}
 * @throws Error naming the package when it cannot be had
 */
export async function ensureGpg() {
  if (spawnSync('gpg', ['--version']).status === 0) return { program: 'gpg', args: [], env: {} };
  const libraries = ['libassuan0', 'libksba8', 'libnpth0', 'libsqlite3-0', 'libreadline8'];
  const folder = await unpacked(['gpg', 'gpg-agent', 'gpgconf', ...libraries], 'usr/bin/gpg');
  const paths = ['usr/lib', 'lib'].map((lib) => join(folder, lib, multiarch()));
  return {
    program: join(folder, 'usr/bin/gpg'),
    args: [`--agent-program=${join(folder, 'usr/bin/gpg-agent')}`],
    env: { LD_LIBRARY_PATH: paths.join(':') },
  };
}

/** The folder into which the packages' files were unpacked; apt checks what it brings. */
async function unpacked(packages, wanted) {
  const cache = cachePath();
  const folder = join(cache, `debian-${packages[0]}-${process.arch}`);
  if (existsSync(join(folder, wanted))) return folder;
  say(`bringing ${packages.join(', ')} from Debian (once)`);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'debian-'));
  try {
    await download(packages, work);
    for (const file of (await readdir(work)).filter((name) => name.endsWith('.deb'))) {
      must(
        spawnSync('dpkg-deb', ['-x', file, 'tree'], { cwd: work }),
        `${file} cannot be unpacked`,
      );
    }
    if (!existsSync(join(work, 'tree', wanted)))
      throw new Error(`the Debian package ${packages[0]} has no ${wanted}`);
    await rm(folder, { recursive: true, force: true });
    await rename(join(work, 'tree'), folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

/** `apt-get download` verifies against the signed index; a machine with no index yet gets one. */
async function download(packages, cwd) {
  let last = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const done = spawnSync('apt-get', ['download', '-q', ...packages], { cwd });
    if (done.status === 0) return;
    last =
      String(done.stderr ?? done.error)
        .trim()
        .split('\n')
        .at(-1) ?? '';
    if (attempt === ATTEMPTS) break;
    say(`Debian did not give ${packages.join(', ')} (${last}); trying again in ${attempt * 3} s`);
    spawnSync('apt-get', ['update', '-q'], { stdio: 'ignore' });
    await sleep(attempt * 3_000);
  }
  throw new Error(`Debian did not give ${packages.join(', ')} in ${ATTEMPTS} attempts: ${last}`);
}

function must(done, problem) {
  if (done.status !== 0) throw new Error(`${problem}: ${String(done.stderr ?? done.error).trim()}`);
}

const multiarch = () => (process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu');
