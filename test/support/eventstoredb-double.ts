import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What the double can be told to do wrong, each so many times. */
export type Fault =
  /** Says that it is unavailable, and stores nothing. */
  | 'refused'
  /** Stores the append; the answer is lost. */
  | 'lost'
  /** Stores the append and never answers. */
  | 'silent'
  /** Answers an append late. */
  | 'slow'
  /** Answers an append without a position. */
  | 'noPosition'
  /** Takes a read and never answers. */
  | 'mute'
  /** Breaks a read off in the middle. */
  | 'halfway'
  /** Delivers a record twice. */
  | 'twice';

export interface DoubleOptions {
  /** Calls by TLS only; PEM. */
  readonly tls?: { readonly certificate: string; readonly privateKey: string };
  /** name:password of the only one who may call. */
  readonly user?: string;
  /** What it says that it is; null: it has no such call. */
  readonly version?: string | null;
  /** Calls that it does not know. */
  readonly lacks?: readonly ('append' | 'read')[];
}
/** One store of the double. */
export interface DoubleStore {
  readonly url: string;
  /** host:port */
  readonly address: string;
  fault(fault: Fault, times: number): Promise<void>;
  /** Cuts the reads and subscriptions under way. */
  cut(): Promise<void>;
  /** Cuts all connections, and is away for so long. */
  restart(ms: number): Promise<void>;
  stop(): Promise<void>;
}
type Answer = { readonly n: number; readonly answer?: unknown; readonly error?: string };

/**
 * A DOUBLE of EventStoreDB's wire, in a process of its own: no such server can be had from a
 * registry. It proves how the adapter uses the client and the wire, not what the server does.
 */
export class EventStoreDouble {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #n = 0;

  private constructor(private readonly child: ChildProcess) {
    child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.n)?.(answer);
      this.#waiting.delete(answer.n);
    });
  }

  static begin(): EventStoreDouble {
    const main = join(import.meta.dirname, 'eventstoredb-double', 'main.mjs');
    return new EventStoreDouble(fork(main, { execArgv: [] }));
  }

  async store(options: DoubleOptions = {}): Promise<DoubleStore> {
    const port = (await this.#tell('start', { options })) as number;
    const tell = async (command: string, more: object = {}): Promise<void> => {
      await this.#tell(command, { port, ...more });
    };
    return {
      url: `esdb://127.0.0.1:${port}?tls=false`,
      address: `127.0.0.1:${port}`,
      fault: (fault, times) => tell('fault', { fault, times }),
      cut: () => tell('cut'),
      restart: (ms) => tell('restart', { ms }),
      stop: () => tell('stop'),
    };
  }

  async end(): Promise<void> {
    this.child.disconnect();
    if (this.child.exitCode === null) await once(this.child, 'exit');
  }

  #tell(command: string, more: object): Promise<unknown> {
    this.#n += 1;
    const n = this.#n;
    return new Promise((resolve, reject) => {
      this.#waiting.set(n, ({ answer, error }) =>
        error === undefined ? resolve(answer) : reject(new Error(error)),
      );
      this.child.send({ n, command, ...more });
    });
  }
}
