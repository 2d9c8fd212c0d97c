// Brings PyKMIP, a KMIP client that others wrote, from PyPI into the user's cache.
// Plain JavaScript for Node 20, as set-up scripts are.
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { say } from '../lib/say.mjs';

const VERSION = '0.11.0';
/** Everything it needs, by version, so that the second machine gets what the first one had. */
const REQUIREMENTS = [
  `pykmip==${VERSION}`,
  'certifi==2026.10.19.post1',
  'cffi==2.1.1',
  'charset-normalizer==3.5.2',
  'cryptography==50.0.2',
  'enum-compat==0.0.3',
  'idna==3.20',
  'pycparser==3.12',
  'requests==2.34.2',
  'six==1.17.0',
  'SQLAlchemy==2.1.9',
  'typing_extensions==4.16.0',
  'urllib3==2.8.0',
];
const PYTHON = 'python3';

/**
 * The folder for PYTHONPATH under which `import kmip` works; installs it when the cache lacks it.
 * @throws Error naming the registry when it cannot be had
 */
export async function ensurePyKmip() {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'openkcm');
  const folder = join(cache, `pykmip-${VERSION}-${pythonTag()}`);
  if (imports(folder)) return folder;
  say(`bringing PyKMIP ${VERSION} from PyPI (once)`);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'pykmip-'));
  try {
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
    const done = spawnSync(PYTHON, [...args, '--target', work, ...REQUIREMENTS]);
    if (done.status !== 0 || !imports(work))
      throw new Error(`PyPI did not give pykmip==${VERSION}: ${String(done.stderr).trim()}`);
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

/** Compiled parts belong to one Python: its version and machine name the folder. */
function pythonTag() {
  const script =
    'import sys,platform;print("py%d.%d-%s"%(*sys.version_info[:2],platform.machine()))';
  const done = spawnSync(PYTHON, ['-c', script]);
  if (done.status !== 0) throw new Error('python3 is needed to run the client that others wrote');
  return String(done.stdout).trim();
}

function imports(folder) {
  const env = { ...process.env, PYTHONPATH: folder };
  return spawnSync(PYTHON, ['-c', 'import kmip.services.kmip_client'], { env }).status === 0;
}
