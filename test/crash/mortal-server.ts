import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server, type ServerOptions } from '../support/server.js';

/** A server that is killed and started again while others go on calling it. */
export class MortalServer {
  readonly server: Server;
  readonly restartsMs: number[] = [];
  #up: Promise<void> = Promise.resolve();
  #opened: () => void = () => {};

  constructor(folder: string, options: ServerOptions = {}) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.server = new Server(folder, {
      ...options,
      env: { KCM_LOG_LEVEL: 'warn', ...options.env },
    });
    this.#close();
  }

  /** Resolves when it answers, now or after its next start. */
  up(): Promise<void> {
    return this.#up;
  }

  async start(): Promise<void> {
    const begun = performance.now();
    await this.server.start();
    this.restartsMs.push(performance.now() - begun);
    this.#opened();
  }

  /** SIGKILL; whoever calls meanwhile waits for the next start. */
  async kill(): Promise<void> {
    this.#close();
    await this.server.kill();
  }

  async stop(): Promise<void> {
    this.#close();
    await this.server.stop();
  }

  /** Killed so long after it was spawned, often before it answers. */
  async killWhileStarting(ms: number): Promise<void> {
    const started = this.server.start().catch(() => undefined);
    await sleep(ms);
    await this.server.kill();
    await started;
  }

  #close(): void {
    this.#up = new Promise((resolve) => {
      this.#opened = resolve;
    });
  }

  /** How long restarts took: to be read, not asserted. */
  get restarts(): string {
    const sorted = this.restartsMs.toSorted((a, b) => a - b).map(Math.round);
    return `${sorted.length} starts, median ${sorted[sorted.length >> 1]} ms, longest ${sorted.at(-1)} ms`;
  }
}
