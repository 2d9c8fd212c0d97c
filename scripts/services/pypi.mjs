// Brings programs that others wrote in Python from PyPI into the user's cache, beside the machine's
// own packages. Plain JavaScript for Node 20, as set-up scripts are.
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../lib/say.mjs';
import { cachePath } from '../lib/server-process.mjs';

const PYTHON = 'python3';
const ATTEMPTS = 3;

/**
 * The folder for PYTHONPATH under which `import module` works; installs it when the cache lacks it.
 * @param {{name: string, version: string, module: string, needs: readonly string[]}} wanted
 *   needs: everything else that it needs, by version, so that the second machine gets what the
 *   first one had
 * @returns {Promise<string>}
 * @throws Error naming the package when it cannot be had
 */
export async function ensurePython({ name, version, module, needs }) {
  const cache = cachePath();
  const folder = join(cache, `${name}-${version}-${pythonTag()}`);
  if (imports(folder, module)) return folder;
  say(`bringing ${name} ${version} from PyPI (once)`);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, `${name}-`));
  try {
    await install(`${name}==${version}`, needs, work);
    if (!imports(work, module)) throw new Error(`${name} ${version} has no ${module} that runs`);
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

async function install(wanted, needs, target) {
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
  for (let attempt = 1; ; attempt += 1) {
    const done = spawnSync(PYTHON, [...args, '--target', target, wanted, ...needs]);
    if (done.status === 0) return;
    const why = String(done.stderr ?? done.error).trim();
    if (attempt === ATTEMPTS)
      throw new Error(`PyPI did not give ${wanted} in ${ATTEMPTS} attempts: ${why}`);
    say(`PyPI did not give ${wanted}; trying again in ${attempt * 3} s`);
    await sleep(attempt * 3_000);
  }
}

/** Compiled parts belong to one Python: its version and machine name the folder. */
function pythonTag() {
  const script =
    'import sys,platform;print("py%d.%d-%s"%(*sys.version_info[:2],platform.machine()))';
  const done = spawnSync(PYTHON, ['-c', script]);
  if (done.status !== 0) throw new Error('python3 is needed to run what others wrote in it');
  return String(done.stdout).trim();
}

function imports(folder, module) {
  const env = { ...process.env, PYTHONPATH: folder };
  return spawnSync(PYTHON, ['-c', `import ${module}`], { env }).status === 0;
}
