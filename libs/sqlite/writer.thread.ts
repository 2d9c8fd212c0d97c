/**
 * The writer thread of a store: it serves one request after the other. Node runs this file as it is
 * (compiled, or by its own type stripping under test), so it imports node: modules and types only,
 * and the file beside it by the ending that it has itself.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Connection, Place } from './connection.thread.js';
import type { Cell, Reply, Request, WriterData } from './protocol.js';

const beside = import.meta.url.replace(/writer(\.thread\.[jt]s)$/, 'connection$1');
const sqlite = (await import(beside)) as typeof import('./connection.thread.js');
const { codeOf, Failed, failureOf, textOf } = sqlite;

const { settings, bell } = workerData as WriterData;
const port = parentPort!;

// SQLite primary result codes.
const ERROR = 1;
const TOOBIG = 18;
const CONSTRAINT = 19;
const MISMATCH = 20;
const RANGE = 25;
const OF_THE_CALLER = new Set([ERROR, TOOBIG, MISMATCH, RANGE]);

/** Commits and bytes of parameters after which the log is moved into the file. */
const CHECKPOINT_COMMITS = 256;
const CHECKPOINT_BYTES = 8 * 1024 * 1024;

let current: Connection | null = null;
let place: Place;
const texts: string[] = [];

/** @throws Failed */
function connected(): Connection {
  if (current === null) {
    place.assertFile();
    current = sqlite.reopenFile(settings);
    place.opened();
  } else place.assertHere();
  return current;
}
function abandon(): void {
  try {
    current?.db.close();
  } catch {
    // The failure that led here is the one to report.
  }
  current = null;
}

/** Position in `cells` just behind the job that starts at `at`. */
function behind(cells: readonly Cell[], at: number): number {
  let next = at + 1;
  for (let left = cells[at] as number; left > 0; left -= 1) next += 3 + (cells[next + 2] as number);
  return next;
}

/**
 * What a job did to the transaction. `refused`: nothing · `dirty`: refused after it had written.
 */
type Outcome = 'kept' | 'refused' | 'dirty';

/** Runs one job; its verdict goes to `out`. Throws what ends the batch. */
function runJob(
  connection: Connection,
  cells: readonly Cell[],
  at: number,
  out: (number | string)[],
): Outcome {
  const results: number[] = [0];
  const count = cells[at] as number;
  let next = at + 1;
  for (let step = 0; step < count; step += 1) {
    const text = cells[next] as number;
    const wanted = cells[next + 1] as number;
    const first = next + 3;
    next = first + (cells[next + 2] as number);
    try {
      const done = connection.statement(text, texts[text]!).run(...cells.slice(first, next));
      const changes = Number(done.changes);
      if (wanted >= 0 && changes !== wanted) {
        out.push(1, step, -1, `${changes} rows changed instead of ${wanted}`);
        return step === 0 && changes === 0 ? 'refused' : 'dirty';
      }
      results.push(changes, Number(done.lastInsertRowid));
    } catch (error) {
      const code = codeOf(error);
      const primary = (code ?? ERROR) & 0xff;
      if (!connection.db.isTransaction) throw error;
      if (primary === CONSTRAINT) out.push(1, step, code!, textOf(error));
      else if (OF_THE_CALLER.has(primary)) out.push(2, step, textOf(error));
      else throw error;
      // SQLite has taken back what the statement itself did.
      return step === 0 ? 'refused' : 'dirty';
    }
  }
  out.push(...results);
  return 'kept';
}

/**
 * Runs the jobs inside an open transaction; how many were kept, or null when one is dirty and
 * there is no savepoint to go back to.
 */
function runJobs(
  connection: Connection,
  cells: readonly Cell[],
  savepoints: boolean,
  out: (number | string)[],
): number | null {
  let kept = 0;
  for (let at = 0; at < cells.length; at = behind(cells, at)) {
    if (savepoints) connection.save.run();
    const outcome = runJob(connection, cells, at, out);
    if (outcome === 'kept') kept += 1;
    else if (savepoints) connection.undo.run();
    else if (outcome === 'dirty') return null;
    if (savepoints) connection.release.run();
  }
  return kept;
}

type Done = Extract<Reply, { kind: 'done' }>;

/**
 * One transaction. A refused job rolls back itself only: mostly it has written nothing; where it
 * has, the batch is run again with a savepoint a job (which costs more than the insert it guards).
 */
function runBatch(jobs: number, cells: readonly Cell[]): Pick<Done, 'cells' | 'kept'> {
  const connection = connected();
  let out: (number | string)[] = [];
  let committing = false;
  try {
    connection.begin.run();
    let kept = runJobs(connection, cells, false, out);
    if (kept === null && jobs > 1) {
      connection.rollback.run();
      connection.begin.run();
      out = [];
      kept = runJobs(connection, cells, true, out);
    }
    if (kept === null || kept === 0) {
      connection.rollback.run();
      return { cells: out, kept: 0 };
    }
    committing = true;
    connection.commit.run();
    return { cells: out, kept };
  } catch (error) {
    const failed = failureOf(error, committing);
    if (failed.failure !== 'lost') abandon();
    throw failed;
  }
}

function answer(request: Exclude<Request, { kind: 'close' }>): Reply {
  try {
    if (request.kind === 'truncate') {
      connected().truncateLog();
      return { kind: 'done', cells: [], kept: 0 };
    }
    if (request.forget) {
      texts.length = 0;
      current?.prepared.clear();
    }
    texts.push(...request.texts);
    return { kind: 'done', ...runBatch(request.jobs, request.cells) };
  } catch (error) {
    const { failure, message } = failureOf(error, false);
    if (failure !== 'lost' && !(error instanceof Failed)) abandon();
    return { kind: 'failed', failure, detail: message };
  }
}

let commits = 0;
let bytes = 0;
function note(cells: readonly Cell[]): void {
  commits += 1;
  for (const cell of cells)
    if (typeof cell === 'string' || cell instanceof Uint8Array) bytes += cell.length;
}

/** Between two batches. @throws Failed lost; another failure leaves the log as it is */
function checkpointWhenDue(): void {
  if (current === null || (commits < CHECKPOINT_COMMITS && bytes < CHECKPOINT_BYTES)) return;
  commits = 0;
  bytes = 0;
  try {
    current.checkpoint();
  } catch (error) {
    const failed = failureOf(error, false);
    if (failed.failure === 'lost') throw failed;
    abandon();
  }
}

/** A lone caller comes back within microseconds; going to sleep and waking would cost it more. */
const LONELY_JOBS_MAX = 2;
const SPIN_MS_MAX = 0.05;

function awaitBell(rung: number, lonely: boolean): void {
  const until = performance.now() + (lonely ? SPIN_MS_MAX : 0);
  while (Atomics.load(bell, 0) === rung && performance.now() < until);
  Atomics.wait(bell, 0, rung);
}

function serve(): void {
  for (;;) {
    const rung = Atomics.load(bell, 0);
    let lonely = false;
    for (
      let received = receiveMessageOnPort(port);
      received !== undefined;
      received = receiveMessageOnPort(port)
    ) {
      const request = received.message as Request;
      if (request.kind === 'close') {
        abandon();
        return;
      }
      const reply = answer(request);
      port.postMessage(reply);
      // The kernel may have dropped what it could not sync, and the next sync would pass without
      // it. The log still has it: only a new process, which reads it from its start, may go on.
      if (reply.kind === 'failed' && reply.failure === 'lost') return;
      if (request.kind === 'batch') note(request.cells);
      checkpointWhenDue();
      lonely = request.kind === 'batch' && request.jobs <= LONELY_JOBS_MAX;
    }
    awaitBell(rung, lonely);
  }
}

try {
  current = sqlite.openFile(settings);
  place = new sqlite.Place(settings.file);
  port.postMessage({ kind: 'ready' } satisfies Reply);
  serve();
} catch (error) {
  // The statements of the opening are right, so one that cannot run met a damaged file.
  const damaged = ((codeOf(error) ?? 0) & 0xff) === ERROR;
  const { failure, message } = damaged
    ? new Failed('damaged', textOf(error))
    : failureOf(error, false);
  port.postMessage({ kind: 'failed', failure, detail: message } satisfies Reply);
}
