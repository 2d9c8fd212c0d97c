import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, ask, type Asked } from './http.js';
import type { SmallDisk } from './small-disk.js';

const ROOT = join(import.meta.dirname, '..', '..');
const FLAGS = ['--expose-gc', '--enable-source-maps', '--disable-warning=ExperimentalWarning'];
const READY_MS_MAX = 30_000;

export interface Endpoints {
  readonly http: string;
  readonly kmip?: string;
  readonly edgeSockets?: Readonly<Record<string, string>>;
}
export interface ServerOptions {
  /** KCM_* settings besides the data folder and free ports. */
  readonly env?: Readonly<Record<string, string>>;
  /** Program and arguments; default the product's own standalone. */
  readonly program?: readonly string[];
  /** Words of a program that starts it. */
  readonly before?: readonly string[];
  /** Where its data folder lies instead: a file system of its own. */
  readonly disk?: SmallDisk;
}

/** A folder below the machine's temporary one, for one spec. */
export const scratchFolder = (name: string): string => mkdtempSync(join(tmpdir(), `kcm-${name}-`));
export const removeFolder = (folder: string): void =>
  rmSync(folder, { recursive: true, force: true });

/** Runs a program of the build, by the words `before`; its output goes to `log`. */
export function runProgram(
  program: readonly string[],
  env: Readonly<Record<string, string>>,
  log: string,
  before: readonly string[] = [],
): ChildProcess {
  const file = openSync(log, 'a');
  const [command = '', ...words] = [...before, process.execPath, ...FLAGS, ...program];
  const child = spawn(command, words, {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
    stdio: ['ignore', file, file],
  });
  closeSync(file);
  return child;
}

export const alive = (child: ChildProcess): boolean =>
  child.exitCode === null && child.signalCode === null;

export function ended(child: ChildProcess): Promise<void> {
  return alive(child)
    ? new Promise((resolve) => child.once('exit', () => resolve()))
    : Promise.resolve();
}

/** The whole product as a process of its own, from the build, on a data folder. */
export class Server {
  #child: ChildProcess | null = null;

  constructor(
    /** `<folder>/data` is KCM_DATA_DIR; `<folder>/server.log` holds stdout and stderr. */
    readonly folder: string,
    private readonly options: ServerOptions = {},
  ) {}

  /** As the test sees it. */
  get dataDir(): string {
    return this.options.disk?.path ?? join(this.folder, 'data');
  }
  get log(): string {
    return join(this.folder, 'server.log');
  }
  get pid(): number {
    return this.#must().pid!;
  }
  get running(): boolean {
    return this.#child !== null && alive(this.#child);
  }
  get operatorToken(): string {
    return readFileSync(join(this.dataDir, 'operator-token'), 'utf8').trim();
  }
  get endpoints(): Endpoints {
    return JSON.parse(readFileSync(join(this.dataDir, 'endpoints.json'), 'utf8')) as Endpoints;
  }
  get url(): string {
    return this.endpoints.http;
  }

  /** Resolves when endpoints.json stands: unsealed, or HTTP alone when it starts sealed. */
  async start(): Promise<this> {
    // What a killed process left would be taken for a sign of life.
    rmSync(join(this.dataDir, 'endpoints.json'), { force: true });
    this.#child = runProgram(
      this.options.program ?? ['dist/apps/standalone/main.js'],
      {
        KCM_DATA_DIR: this.options.disk?.folder ?? this.dataDir,
        KCM_HTTP_PORT: '0',
        KCM_KMIP_PORT: '0',
        ...this.options.env,
      },
      this.log,
      this.options.before ?? this.options.disk?.words,
    );
    await this.until('endpoints.json', () => existsSync(join(this.dataDir, 'endpoints.json')));
    return this;
  }

  /** @throws Error with the end of the log when the process ends or the time is over */
  async until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + READY_MS_MAX;
    while (!(await look())) {
      if (!this.running) throw new Error(`the server ended before ${what}\n${this.tail()}`);
      if (performance.now() > end) throw new Error(`no ${what} in time\n${this.tail()}`);
      await sleep(15);
    }
  }

  ask(method: string, path: string, asked: Asked = {}): Promise<Answer> {
    return ask(this.url, method, path, asked);
  }

  /** As the operator; @throws Error unless it is done */
  async must<T = Readonly<Record<string, unknown>>>(
    method: string,
    path: string,
    asked: Asked = {},
  ): Promise<T> {
    const answer = await this.ask(method, path, { token: this.operatorToken, ...asked });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body as T;
  }

  async tokenFor(
    tenant: string | null,
    roles: readonly string[],
    subject = 'anna',
    ttlSeconds = 3_600,
  ): Promise<string> {
    const body = { subject, roles, ttlSeconds, ...(tenant === null ? {} : { tenant }) };
    return (await this.must<{ token: string }>('POST', '/v1/sys/tokens', { body })).token;
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    this.#must().kill('SIGTERM');
    await ended(this.#must());
  }

  async kill(): Promise<void> {
    if (!this.running) return;
    this.#must().kill('SIGKILL');
    await ended(this.#must());
  }

  /** Ended by itself. @returns its exit code */
  async ended(): Promise<number | null> {
    await ended(this.#must());
    return this.#must().exitCode;
  }

  tail(): string {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8').slice(-3_000) : '';
  }

  #must(): ChildProcess {
    if (this.#child === null) throw new Error('the server was never started');
    return this.#child;
  }
}
