import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { alive, ended, runProgram } from './server.js';

const ROOT = join(import.meta.dirname, '..', '..');
const FLAGS = ['--enable-source-maps', '--disable-warning=ExperimentalWarning'];
const STOP_MS_MAX = 10_000;

export type Env = Readonly<Record<string, string>>;

const main = (app: string): string => join('dist', 'apps', app, 'main.js');

/** One program of the build, in a process of its own. */
export class Program {
  constructor(
    readonly name: string,
    private readonly child: ChildProcess,
    private readonly log: string,
  ) {}

  get pid(): number {
    return this.child.pid!;
  }

  get output(): string {
    return readFileSync(this.log, 'utf8').slice(-3_000);
  }

  /** @throws Error when it ends first, or the time is over */
  until<T>(what: string, look: () => Promise<T | null> | T | null, ms = 30_000): Promise<T> {
    const { name } = this;
    return until(`${name}: ${what}`, ms, () => {
      if (!alive(this.child)) throw new Error(`${name} ended before ${what}:\n${this.output}`);
      return look();
    });
  }

  /** In order. @throws Error when it must be killed */
  async stop(): Promise<void> {
    if (!alive(this.child)) return;
    this.child.kill('SIGTERM');
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.child.kill('SIGKILL');
    }, STOP_MS_MAX);
    await ended(this.child);
    clearTimeout(timer);
    if (late) throw new Error(`${this.name} did not stop:\n${this.output}`);
  }
}

/** Where one spec file plays: a throw-away folder and the programs that it starts. */
export class Stage {
  /** Short: a socket's path has at most 107 bytes. */
  readonly folder = mkdtempSync(join(tmpdir(), 'kcm-'));
  readonly #programs: { stop(): Promise<unknown> }[] = [];
  readonly #closing: (() => void)[] = [];

  constructor() {
    mkdirSync(this.path('logs'));
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  start(name: string, app: string, env: Env, args: readonly string[] = []): Program {
    const log = this.path('logs', `${name.replaceAll(' ', '-')}.log`);
    return this.add(new Program(name, runProgram([main(app), ...args], env, log), log));
  }

  /** Something to be stopped when the play is over. */
  add<T extends { stop(): Promise<unknown> }>(program: T): T {
    this.#programs.push(program);
    return program;
  }

  /** Something to be closed when the play is over. */
  atEnd(close: () => void): void {
    this.#closing.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closing) close();
    const stopped = await Promise.allSettled(this.#programs.map((program) => program.stop()));
    rmSync(this.folder, { recursive: true, force: true });
    for (const outcome of stopped) if (outcome.status === 'rejected') throw outcome.reason;
  }
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end. `before`: the words of a program that starts it; `input`: what comes on
 * its standard input, if anything.
 */
export function runToEnd(
  app: string,
  args: readonly string[],
  env: Env,
  before: readonly string[] = [],
  input?: string,
): Promise<Ended> {
  const [command = '', ...words] = [...before, process.execPath, ...FLAGS, main(app), ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { cwd: ROOT, env, stdio: 'pipe' });
    child.stdin.on('error', () => undefined).end(input ?? '');
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}

/** What `look` finds, asked again until it is not null. @throws Error after `ms` */
export async function until<T>(
  what: string,
  ms: number,
  look: () => Promise<T | null> | T | null,
): Promise<T> {
  for (const end = performance.now() + ms; ; await sleep(20)) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`);
  }
}
