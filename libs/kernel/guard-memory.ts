import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import type { Reason } from './health.js';

const PRLIMIT_MS_MAX = 5_000;

/**
 * For a process that will hold keys, before it has one. What the collector frees is filled with
 * zeros from now on: copies of its own making, and texts that nobody can overwrite. No core file is
 * written of it; and if one is taken all the same, as whoever is named in core_pattern may do
 * (core(5)), no memory is in it. What cannot be had is told by `memoryReasons`. Never throws.
 */
export function guardMemory(): void {
  setFlagsFromString('--clear-free-memory');
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
  } catch {
    // Not on Linux.
  }
  if (coreFiles() !== 'written') return;
  const words = ['--core=0:0', `--pid=${process.pid}`];
  spawnSync('prlimit', words, { stdio: 'ignore', timeout: PRLIMIT_MS_MAX });
}

/** glibc.malloc.perturb fills what is freed with a byte; what tcache takes back it would leave. */
const TUNABLES = 'glibc.malloc.tcache_count=0:glibc.malloc.perturb=170';

/**
 * First in a program that will hold keys, before it loads anything: from here on the allocator
 * overwrites what is freed (glibc's tunables, all but the last 8 bytes). Node frees as it is what a
 * decipher wrote, and what V8 saves of the processor's registers, parts of keys among it. glibc reads its tunables when a program starts, so it starts again as itself
 * (execve(2): same process id, arguments and files). With another allocator it does nothing more.
 */
export function overwriteFreedMemory(): void {
  const set = process.env['GLIBC_TUNABLES'] ?? '';
  if (process.platform !== 'linux' || set.endsWith(TUNABLES)) return;
  const tunables = set === '' ? TUNABLES : `${set}:${TUNABLES}`;
  const words = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(process.execPath, words, { ...process.env, GLIBC_TUNABLES: tunables });
}

/** Whether a core file may be written of this process; where that cannot be seen nothing is said. */
export function memoryReasons(): readonly Reason[] {
  if (coreFiles() !== 'written') return [];
  return [
    {
      dependency: 'memory',
      level: 'degraded',
      code: 'core_files',
      detail: 'a core file may be written of this process, which holds keys',
      next: 'start it where `ulimit -c` is 0, or where prlimit (util-linux) is, which it asks for that',
    },
  ];
}

function coreFiles(): 'written' | 'off' | 'unseen' {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return /^Max core file size\s+0\s/m.test(limits) ? 'off' : 'written';
  } catch {
    return 'unseen';
  }
}
