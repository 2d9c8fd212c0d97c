import type { KcmError, OneOrMore } from '@kcm/kernel';
import { Worker } from 'node:worker_threads';
import {
  StoreDamaged,
  StoreFull,
  StoreLost,
  StoreMoved,
  StoreUnavailable,
  WriteInvalid,
  WriteOutcomeUnknown,
  WriteRefused,
} from './errors.js';
import {
  VERDICT,
  type Cell,
  type Failure,
  type Reply,
  type Request,
  type Statement,
  type StoreSettings,
  type WriterData,
  type Written,
} from './protocol.js';

/** Bounds of one transaction; what waits beyond them goes into the next. */
const JOBS_MAX = 256;
const BYTES_MAX = 4 * 1024 * 1024;
const TEXTS_MAX = 512;

interface Job {
  readonly statements: OneOrMore<Statement>;
  readonly resolve: (written: readonly Written[]) => void;
  readonly reject: (error: Error) => void;
}
interface Control {
  readonly request: Exclude<Request, { kind: 'batch' }>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}
type Waiting = Job | Control;
/** A transaction was committed: so many jobs of it, `ms` from handing them over to their fsync. */
export type OnCommit = (jobs: number, ms: number) => void;
/** A sync failed or the thread ended: nothing is written any more before a new start. */
export type OnLost = (error: StoreLost) => void;
const isJob = (waiting: Waiting): waiting is Job => 'statements' in waiting;

/**
 * The caller's end of the writer thread. At most one batch is on its way; what arrives meanwhile
 * is the next batch, so the group grows with the load and a lone write waits for nobody.
 */
export class Writer {
  readonly #bell: Int32Array<SharedArrayBuffer>;
  readonly #texts = new Map<string, number>();
  #waiting: Waiting[] = [];
  #flying: readonly Waiting[] | null = null;
  #scheduled = false;
  #handedAt = 0;
  /** Why nothing is accepted any more. */
  #over: string | null = null;
  /** What fails before the file is open is told by `start`. */
  #onLost: OnLost = () => {};

  private constructor(
    readonly file: string,
    readonly worker: Worker,
    bell: Int32Array<SharedArrayBuffer>,
    private readonly onCommit: OnCommit,
  ) {
    this.#bell = bell;
    // Reserved until the thread has said that the file is open.
    this.#flying = [];
  }

  /** @throws StoreDamaged · StoreUnavailable · StoreFull · StoreLost */
  static start(
    settings: StoreSettings,
    onCommit: OnCommit = () => {},
    onLost: OnLost = () => {},
  ): Promise<Writer> {
    const bell = new Int32Array(new SharedArrayBuffer(4));
    const workerData: WriterData = { settings, bell };
    // Compiled, this file and the thread's are .js; under test both are .ts, which Node strips.
    const url = new URL(import.meta.url.replace(/writer(\.[jt]s)$/, 'writer.thread$1'));
    const worker = new Worker(url, { workerData, execArgv: [], env: {} });
    const writer = new Writer(settings.file, worker, bell, onCommit);
    return new Promise((resolve, reject) => {
      let refused: Error | null = null;
      worker.on('message', (reply: Reply) => {
        if (reply.kind === 'ready') {
          writer.#onLost = onLost;
          resolve(writer);
        } else if (reply.kind === 'failed')
          refused = errorOf(settings.file, reply.failure, reply.detail);
        writer.#settle(reply);
      });
      // Not before the thread has ended: until then it has the file, and removes its log.
      const lost = (reason: string): void => {
        reject(refused ?? new StoreUnavailable(settings.file, reason));
        writer.#lost(reason);
      };
      worker.on('error', (error) => lost(`its writer thread failed: ${String(error)}`));
      worker.on('exit', () => lost('its writer thread has ended'));
    });
  }

  write(statements: OneOrMore<Statement>): Promise<readonly Written[]> {
    return new Promise((resolve, reject) => this.#enqueue({ statements, resolve, reject }));
  }
  truncateLog(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ request: { kind: 'truncate' }, resolve, reject });
    });
  }
  /** Resolves when the thread has written what waits, closed the file and ended. */
  async close(): Promise<void> {
    if (this.#over !== null) return;
    const ended = new Promise((resolve) => void this.worker.once('exit', resolve));
    this.#enqueue({ request: { kind: 'close' }, resolve: () => {}, reject: () => {} });
    this.#over = 'it is closed';
    await ended;
  }

  #enqueue(waiting: Waiting): void {
    if (this.#over !== null) {
      waiting.reject(new StoreUnavailable(this.file, this.#over));
      return;
    }
    this.#waiting.push(waiting);
    this.#schedule();
  }
  /** After the microtasks of this turn: callers woken by the last batch join the next one. */
  #schedule(): void {
    if (this.#scheduled || this.#flying !== null || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }
  #flush(): void {
    if (this.#flying !== null || this.#waiting.length === 0) return;
    const first = this.#waiting[0]!;
    const request = isJob(first) ? this.#takeBatch() : this.#takeControl();
    this.#handedAt = performance.now();
    this.worker.postMessage(request);
    Atomics.add(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
  }
  #takeControl(): Request {
    const control = this.#waiting.shift() as Control;
    this.#flying = [control];
    return control.request;
  }
  #takeBatch(): Request {
    const forget = this.#texts.size >= TEXTS_MAX;
    if (forget) this.#texts.clear();
    const texts: string[] = [];
    const cells: Cell[] = [];
    let bytes = 0;
    let taken = 0;
    for (const waiting of this.#waiting) {
      if (!isJob(waiting) || taken >= JOBS_MAX || bytes >= BYTES_MAX) break;
      taken += 1;
      cells.push(waiting.statements.length);
      for (const { sql, params = [], changes = -1 } of waiting.statements) {
        let text = this.#texts.get(sql);
        if (text === undefined) {
          text = this.#texts.size;
          this.#texts.set(sql, text);
          texts.push(sql);
        }
        cells.push(text, changes, params.length);
        for (const value of params) {
          cells.push(value);
          if (typeof value === 'string' || value instanceof Uint8Array) bytes += value.length;
        }
      }
    }
    this.#flying = this.#waiting.splice(0, taken);
    return { kind: 'batch', jobs: taken, cells, texts, forget };
  }

  #settle(reply: Reply): void {
    if (reply.kind === 'failed' && reply.failure === 'lost') {
      this.#lost(`a sync failed (${reply.detail})`);
      return;
    }
    const flying = this.#flying ?? [];
    this.#flying = null;
    if (reply.kind === 'failed')
      for (const { reject } of flying) reject(errorOf(this.file, reply.failure, reply.detail));
    else if (reply.kind === 'done') {
      if (reply.kept > 0) this.onCommit(reply.kept, performance.now() - this.#handedAt);
      settleAll(flying, reply.cells);
    }
    this.#schedule();
  }
  #lost(reason: string): void {
    if (this.#over === null) this.#onLost(new StoreLost(this.file, reason));
    this.#over ??= reason;
    const flying = this.#flying ?? [];
    const waiting = this.#waiting;
    this.#flying = null;
    this.#waiting = [];
    for (const { reject } of flying) reject(new WriteOutcomeUnknown(this.file, reason));
    for (const { reject } of waiting) reject(new StoreUnavailable(this.file, reason));
  }
}

function errorOf(file: string, failure: Failure, detail: string): KcmError {
  if (failure === 'full') return new StoreFull(file);
  if (failure === 'damaged') return new StoreDamaged(file, detail);
  if (failure === 'lost') return new StoreLost(file, `a sync failed (${detail})`);
  if (failure === 'moved') return new StoreMoved(file, detail);
  if (failure === 'unknown') return new WriteOutcomeUnknown(file, detail);
  return new StoreUnavailable(file, detail);
}

function settleAll(flying: readonly Waiting[], cells: readonly (number | string)[]): void {
  let at = 0;
  for (const job of flying) {
    if (!isJob(job)) {
      job.resolve();
      continue;
    }
    const verdict = cells[at];
    if (verdict === VERDICT.written) {
      const written: Written[] = [];
      at += 1;
      for (let left = job.statements.length; left > 0; left -= 1, at += 2)
        written.push({ changes: cells[at] as number, rowid: cells[at + 1] as number });
      job.resolve(written);
      continue;
    }
    const statement = cells[at + 1] as number;
    if (verdict === VERDICT.refused) {
      const code = cells[at + 2] as number;
      job.reject(new WriteRefused(statement, code < 0 ? null : code, String(cells[at + 3])));
      at += 4;
    } else {
      job.reject(new WriteInvalid(statement, String(cells[at + 2])));
      at += 3;
    }
  }
}
