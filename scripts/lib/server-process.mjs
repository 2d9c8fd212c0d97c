// What every server that a script brings has in common: where it is cached, a free port, its log,
// and an end. Plain JavaScript for Node 20.
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A folder of the user's cache, outside the repository. */
export const cachePath = (...names) =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'openkcm', ...names);

/** A port of loopback that nobody had a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** The end of a log. */
export const tail = async (file) => (await readFile(file, 'utf8').catch(() => '')).slice(-2_000);

/**
 * Starts a program whose output goes to `logFile`; it ends with this process at the latest. `stop`
 * asks it to end, and kills it after `graceMs`.
 */
export async function startLogged(command, args, { logFile, graceMs, ...options }) {
  const log = await open(logFile, 'w');
  const child = spawn(command, args, { ...options, stdio: ['ignore', log.fd, log.fd] });
  await log.close();
  const ended = new Promise((resolve) => {
    child.on('exit', resolve);
    child.on('error', resolve);
  });
  const endWithUs = () => child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const stop = async () => {
    process.off('exit', endWithUs);
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await ended;
    clearTimeout(late);
  };
  return { child, stop };
}
