// Builds, once into the user's cache, what reads the container files with Docker's own code. Its
// modules come from the Go proxy, each with the hash of go.sum. Plain JavaScript for Node 20.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say } from '../lib/say.mjs';
import { cachePath } from '../lib/server-process.mjs';

const SOURCE = fileURLToPath(new URL('container-check/', import.meta.url));

/** The path of the program. @throws Error: Go is missing, or what it says */
export function ensureContainerCheck() {
  const hash = createHash('sha256');
  for (const name of readdirSync(SOURCE).sort()) hash.update(readFileSync(join(SOURCE, name)));
  const folder = cachePath(`container-check-${hash.digest('hex').slice(0, 12)}`);
  const program = join(folder, 'container-check');
  if (existsSync(program)) return program;
  say('building what reads the container files, with modules of the Go proxy (once)');
  mkdirSync(folder, { recursive: true });
  const draft = `${program}.${process.pid}`;
  const env = { ...process.env, GOFLAGS: '-mod=readonly -buildvcs=false', CGO_ENABLED: '0' };
  const done = spawnSync('go', ['build', '-o', draft, '.'], { cwd: SOURCE, env });
  if (done.error !== undefined) throw new Error(`Go 1.26 is needed: ${done.error.message}`);
  if (done.status !== 0)
    throw new Error(`container-check cannot be built: ${String(done.stderr).slice(-2_000)}`);
  renameSync(draft, program);
  return program;
}
