import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The repository; this file runs as dist/demo/child.js. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FLAGS = ['--enable-source-maps', '--disable-warning=ExperimentalWarning'];
const STOP_MS_MAX = 8_000;
const TAIL_LINES = 25;

type Env = Readonly<Record<string, string>>;

/** Only what a program needs to run: nothing of this shell leaks into the demo. */
export const environment = (more: Env): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '',
  ...more,
});

const main = (app: string): string => join(ROOT, 'dist', 'apps', app, 'main.js');

/** One server of the demo: a process of its own with a log file. */
export class Child {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(
    readonly name: string,
    readonly log: string,
    child: ChildProcess,
  ) {
    this.#process = child;
    this.#ended = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
  }

  get ended(): Promise<void> {
    return this.#ended;
  }

  get running(): boolean {
    const { exitCode, signalCode, pid } = this.#process;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  /**
   * What `look` finds, asked again until it is there.
   * @throws Error when the process ends first or the time is over
   */
  async until<T>(what: string, look: () => Promise<T | null> | T | null, ms = 30_000): Promise<T> {
    const end = performance.now() + ms;
    for (;;) {
      if (!this.running) throw new Error(`${this.name} ended before ${what}.`);
      const found = await look();
      if (found !== null) return found;
      if (performance.now() > end) throw new Error(`${this.name}: no ${what} within ${ms} ms.`);
      await sleep(20);
    }
  }

  /** By its own pid; a process that does not end in time is killed. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.#process.kill('SIGTERM');
    const late = setTimeout(() => this.killNow(), STOP_MS_MAX);
    await this.#ended;
    clearTimeout(late);
  }

  killNow(): void {
    if (this.running) this.#process.kill('SIGKILL');
  }

  tail(): string {
    const text = existsSync(this.log) ? readFileSync(this.log, 'utf8').trimEnd() : '';
    return text.split('\n').slice(-TAIL_LINES).join('\n');
  }
}

export interface ChildOptions {
  readonly args?: readonly string[];
  readonly env?: Env;
}

/** All servers of the demo, so that none outlives it. */
export class Children {
  readonly #all: Child[] = [];

  constructor(private readonly logs: string) {}

  /** `app`: its folder under apps/. */
  start(name: string, app: string, log: string, options: ChildOptions): Child {
    const { args = [], env = {} } = options;
    const path = join(this.logs, `${log}.log`);
    const file = openSync(path, 'a');
    const child = spawn(process.execPath, ['--expose-gc', ...FLAGS, main(app), ...args], {
      cwd: ROOT,
      env: environment(env),
      stdio: ['ignore', file, file],
    });
    closeSync(file);
    const started = new Child(name, path, child);
    this.#all.push(started);
    return started;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((child) => child.stop()));
  }

  killNow(): void {
    for (const child of this.#all) child.killNow();
  }

  /** The ends of their logs. */
  tails(): string {
    return this.#all.map((child) => `--- ${child.name} (${child.log})\n${child.tail()}`).join('\n');
  }
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end in a folder. `wrap`: a program that starts it, with its own words. */
export function runToEnd(
  app: string,
  args: readonly string[],
  env: Env,
  cwd = ROOT,
  wrap: readonly string[] = [],
): Promise<Ended> {
  const [command = '', ...words] = [...wrap, process.execPath, ...FLAGS, main(app), ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}
