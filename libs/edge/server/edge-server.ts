import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { connectionBudget, KcmError, LIMITS } from '@kcm/kernel';
import type { EdgeApi } from './api.js';
import { Connection, type ServerLimits } from './connection.js';
import { HeldBytes } from './held-bytes.js';

export type { ServerLimits };

const SWEEP_MS = 1_000;

export const SERVER_LIMITS: ServerLimits = {
  connectionsMax: LIMITS.edgeConnectionsMax,
  idleMs: LIMITS.edgeIdleMsMax,
  requestMs: LIMITS.edgeRequestMsMax,
  answerMs: LIMITS.edgeAnswerMsMax,
};

/**
 * A lean HTTP/1.1 server over one Unix socket: keep-alive, pipelining (answers in order), limits on
 * everything, one sweep timer for all connections.
 */
export class EdgeServer {
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #sweep: NodeJS.Timeout | null = null;
  #sweptAt = 0;
  #spared = false;

  constructor(
    readonly path: string,
    api: EdgeApi,
    private readonly limits: ServerLimits,
    private readonly now: () => number,
    /** Of all sockets of one Edge. */
    held = new HeldBytes(),
  ) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const connection = new Connection(socket, api, limits, held, now);
      this.#connections.add(connection);
      socket.on('close', () => {
        this.#connections.delete(connection);
        held.hold(connection, 0, false);
      });
    });
    connectionBudget().guard(this.#server, limits.connectionsMax);
  }

  /** Mode 0600. @throws KcmError when the path is too long or another process listens on it */
  async listen(): Promise<void> {
    assertSocketPath(this.path);
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    await removeStale(this.path);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      withUmask(() => this.#server.listen(this.path, resolve));
    });
    chmodSync(this.path, 0o600);
    const everyMs = Math.min(SWEEP_MS, this.limits.requestMs);
    this.#sweptAt = this.now();
    this.#sweep = setInterval(() => this.#sweepAll(2 * everyMs), everyMs);
    this.#sweep.unref();
  }

  /** After a standstill not at once: what came meanwhile is not read yet. */
  #sweepAll(lateMs: number): void {
    const stood = this.now() - this.#sweptAt > lateMs;
    this.#sweptAt = this.now();
    this.#spared = stood && !this.#spared;
    if (this.#spared) return;

    for (const connection of this.#connections) connection.sweep();
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Finishes what is being answered, then closes; cuts off what is left after `graceMs`. */
  async close(graceMs = 2_000): Promise<void> {
    if (this.#sweep !== null) clearInterval(this.#sweep);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.finish();
    const cut = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, graceMs);
    await closed;
    clearTimeout(cut);
  }
}

/** @throws KcmError invalid_request naming the path */
export function assertSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > LIMITS.socketPathBytesMax)
    throw new KcmError(
      'invalid_request',
      `The socket path ${path} has ${bytes} bytes; the system allows ${LIMITS.socketPathBytesMax}.`,
    );
}

/** A socket file that nobody listens on is what a killed process left. */
async function removeStale(path: string): Promise<void> {
  const code = await new Promise<string | null>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(null);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'UNKNOWN'));
  });
  if (code === null) throw new KcmError('wrong_state', `Another process listens on ${path}.`);
  if (code === 'ECONNREFUSED') rmSync(path, { force: true });
}

/** Binds with the final mode; a worker thread cannot set one and relies on the folder's 0700. */
function withUmask(bind: () => void): void {
  let before: number | null = null;
  try {
    before = process.umask(0o177);
  } catch {
    before = null;
  }
  try {
    bind();
  } finally {
    if (before !== null) process.umask(before);
  }
}
