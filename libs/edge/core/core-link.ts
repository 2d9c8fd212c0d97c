import type { Secret } from '@kcm/crypto';
import {
  fullJitterMs,
  systemScheduler,
  uuidv4,
  within,
  type Random,
  type Tracer,
} from '@kcm/kernel';
import { KmipFailure } from '@kcm/kmip';
import { KmipUnavailable, type KmipClientOptions } from '@kcm/kmip/client';
import { KmipSession, type OnNotify } from './kmip-session.js';

const RECONNECT = { baseMs: 100, capMs: 5_000 };
/** How long a request waits for a first connection that is under way. */
const CONNECT_WAIT_MS = 2_000;
const SHORT_SESSION_MS = 1_000;

export interface CoreLinkParts {
  readonly connection: KmipClientOptions;
  readonly boot: string;
  /** AES-256 made by this boot. */
  readonly kwk: Secret;
  readonly random: Random;
  readonly wallMs: () => number;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly tracer: Tracer;
  /** As `SessionParts.onNotify`. */
  readonly onNotify: OnNotify;
  /** As `SessionParts.onRevoked`. */
  readonly onRevoked: () => void;
  readonly onConnection: (connected: boolean, why: string | null) => void;
  readonly onError: (detail: string) => void;
}

/** Keeps a session with Core: connects, and connects again with full jitter, until it is stopped. */
export class CoreLink {
  #connection: KmipClientOptions;
  #session: KmipSession | null = null;
  #stopped = false;
  /** In a row: attempts that failed and sessions that ended at once. */
  #failures = 0;
  /** Settled when the attempt to connect that is under way is over. */
  #attempt: Promise<void> = Promise.resolve();
  #wake: (() => void) | null = null;
  #loop: Promise<void> | null = null;

  constructor(private readonly parts: CoreLinkParts) {
    this.#connection = parts.connection;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  get connected(): boolean {
    return this.#session !== null;
  }

  /** The session, after a moment of waiting while a first attempt is under way. */
  async ready(): Promise<KmipSession | null> {
    if (this.#session === null && this.#failures === 0 && !this.#stopped)
      await within(systemScheduler, CONNECT_WAIT_MS, this.#attempt);
    return this.#session;
  }

  /** Ends the session that stands; the next one is had at once, and as this says. */
  reconnectAs(connection: KmipClientOptions): void {
    this.#connection = connection;
    this.#failures = 0;
    this.#wake?.();
    void this.#session?.end();
  }

  /** Ends the boot's key at Core, then the connections. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#attempt;
    await this.#session?.stop();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let attempted = (): void => undefined;
      this.#attempt = new Promise((resolve) => (attempted = resolve));
      const opened = await this.#open();
      this.#session = opened instanceof KmipSession ? opened : null;
      attempted();
      if (opened instanceof KmipSession) {
        const lasted = await this.#serve(opened);
        if (this.#stopped) return;
        if (lasted) continue;
      } else this.parts.onConnection(false, opened);
      const { baseMs, capMs } = RECONNECT;
      const waitMs = fullJitterMs(this.parts.random, this.#failures, baseMs, capMs);
      this.#failures += 1;
      if (!this.#stopped) await this.#pause(waitMs);
    }
  }

  /**
   * Until the session is over. Whether it lasted: one that ends at once (a clone of this machine, a
   * revoked Edge) is a failure like any other, so that Core is not asked again and again.
   */
  async #serve(session: KmipSession): Promise<boolean> {
    this.parts.onConnection(true, null);
    const since = this.parts.now();
    await session.ended;
    this.#session = null;
    if (this.#stopped) return true;
    this.parts.onConnection(false, 'the connection was lost');
    const lasted = this.parts.now() - since > SHORT_SESSION_MS;
    if (lasted) this.#failures = 0;
    return lasted;
  }

  /** The session, or why there is none. */
  async #open(): Promise<KmipSession | string> {
    const { boot, kwk, wallMs, random, tracer, onNotify, onRevoked, onError } = this.parts;
    try {
      return await KmipSession.open({
        connection: this.#connection,
        boot,
        kwk,
        wallMs,
        newCorrelationId: () => uuidv4(random),
        tracer,
        onNotify,
        onRevoked,
        onError: (error, what) => onError(`${what}: ${String(error)}`),
      });
    } catch (error) {
      return reasonOf(error);
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof KmipFailure) return `Core refuses: ${error.message}`;
  const cause = error instanceof KmipUnavailable ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause ?? error);
}
