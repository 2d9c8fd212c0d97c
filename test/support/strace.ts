import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ensureStrace } from '../../scripts/services/debian.mjs';

/** What the kernel does to the calls of a program, as `strace -e inject=` says it. */
export interface Fault {
  readonly call: 'pwrite64' | 'fsync' | 'ftruncate';
  /** `signal=KILL`, `error=EIO`, `error=ENOSPC`. */
  readonly does: string;
  /** `5`: the fifth such call of a thread; `5+`: all from the fifth on. */
  readonly when: string;
}
export interface Traced {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly stderr: string;
  /** The calls on the files in their order, without their arguments; a faulty one ends in `!`. */
  readonly calls: readonly string[];
}
const CALLS = 'pwrite64,fsync,fdatasync,ftruncate';

/** The words of a strace that does `fault` to calls on `files` alone, and writes them to `log`. */
export async function straceWords(
  files: readonly string[],
  fault: Fault | null,
  log: string,
): Promise<{ readonly words: readonly string[]; readonly env: Readonly<Record<string, string>> }> {
  const { program, env } = await ensureStrace();
  const words = [program, '-f', '-qq', '-o', log, '-e', `trace=${CALLS}`];
  for (const file of files) words.push('-P', file);
  if (fault !== null) words.push('-e', `inject=${fault.call}:${fault.does}:when=${fault.when}`);
  return { words, env };
}

/** Runs a Node program to its end under a fault. */
export async function runFaulty(
  program: readonly string[],
  files: readonly string[],
  fault: Fault | null,
  log: string,
): Promise<Traced> {
  const { words, env } = await straceWords(files, fault, log);
  const [command = '', ...rest] = [...words, process.execPath, ...program];
  const child = spawn(command, rest, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, lines: stdout.split('\n').slice(0, -1), stderr, calls: callsOf(log) };
}

function callsOf(log: string): string[] {
  const calls: { readonly thread: string; call: string }[] = [];
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    // A call that another thread interrupted has two lines: `fsync(…<unfinished`, `<... fsync`.
    const [, thread = '', resumed, call] = /^(\d+) +(<\.\.\. )?(\w+)/.exec(line) ?? [];
    if (call === undefined) continue;
    if (resumed === undefined) calls.push({ thread, call });
    const mine = calls.findLast((each) => each.thread === thread);
    if (mine !== undefined && line.endsWith('(INJECTED)')) mine.call = `${call}!`;
  }
  return calls.map(({ call }) => call);
}
