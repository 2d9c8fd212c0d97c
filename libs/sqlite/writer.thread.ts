/**
 * The writer thread of a store. Node runs this file as it is (compiled, or by its own type
 * stripping under test), so it imports node: modules and types only.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Cell, Failure, Reply, Request, StoreSettings, WriterData } from './protocol.js';

const { settings, bell } = workerData as WriterData;
const port = parentPort!;

// SQLite primary result codes.
const ERROR = 1;
const BUSY = 5;
const NOMEM = 7;
const CORRUPT = 11;
const FULL = 13;
const TOOBIG = 18;
const CONSTRAINT = 19;
const MISMATCH = 20;
const RANGE = 25;
const NOTADB = 26;
/** SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC. */
const SYNC_FAILED = new Set([10 | (4 << 8), 10 | (5 << 8)]);
const OF_THE_CALLER = new Set([ERROR, TOOBIG, MISMATCH, RANGE]);

/** Files up to this size are checked whole at open (about 1 s a GiB from the page cache). */
const FULL_CHECK_BYTES_MAX = 1024 * 1024 * 1024;
const BUSY_MS_MAX = 5_000;
/** Commits and bytes of parameters after which the log is moved into the file. */
const CHECKPOINT_COMMITS = 256;
const CHECKPOINT_BYTES = 8 * 1024 * 1024;

class Failed extends Error {
  readonly failure: Failure;
  constructor(failure: Failure, detail: string) {
    super(detail);
    this.failure = failure;
  }
}

const codeOf = (error: unknown): number | null => {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' ? code : null;
};
const textOf = (error: unknown): string => (error as { message?: string }).message ?? 'unknown';

function failureOf(error: unknown, committing: boolean): Failed {
  if (error instanceof Failed) return error;
  const primary = (codeOf(error) ?? 0) & 0xff;
  const detail = `${textOf(error)}, SQLite ${codeOf(error) ?? 'none'}`;
  if (SYNC_FAILED.has(codeOf(error) ?? 0)) return new Failed('lost', detail);
  if (primary === FULL) return new Failed('full', detail);
  if (primary === CORRUPT || primary === NOTADB) return new Failed('damaged', detail);
  return new Failed(committing && primary !== NOMEM ? 'unknown' : 'unavailable', detail);
}

class Connection {
  readonly db: DatabaseSync;
  readonly begin: StatementSync;
  readonly commit: StatementSync;
  readonly rollback: StatementSync;
  readonly save: StatementSync;
  readonly release: StatementSync;
  readonly undo: StatementSync;
  readonly prepared = new Map<number, StatementSync>();

  constructor(file: string, secureDelete: boolean) {
    this.db = new DatabaseSync(file, { timeout: BUSY_MS_MAX });
    const mode = this.db.prepare('PRAGMA journal_mode = WAL').get() as { journal_mode: string };
    if (mode.journal_mode !== 'wal')
      throw new Failed('unavailable', 'its file system cannot hold a write-ahead log');
    this.db.exec(
      `PRAGMA synchronous = FULL; PRAGMA secure_delete = ${secureDelete ? 'ON' : 'OFF'};
       PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;
       PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -16384;`,
    );
    this.begin = this.db.prepare('BEGIN IMMEDIATE');
    this.commit = this.db.prepare('COMMIT');
    this.rollback = this.db.prepare('ROLLBACK');
    this.save = this.db.prepare('SAVEPOINT job');
    this.release = this.db.prepare('RELEASE job');
    this.undo = this.db.prepare('ROLLBACK TO job');
  }
  pragma(name: string): number {
    return Object.values(this.db.prepare(`PRAGMA ${name}`).get() ?? {})[0] as number;
  }
  /**
   * Moves the whole log into the file and empties it. What a killed process left in the log may
   * never have been fsynced; after this it is durable, so nothing is shown that could still be
   * lost.
   */
  truncateLog(): void {
    const row = this.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
    if (row.busy !== 0) throw new Failed('unavailable', 'a reader holds its write-ahead log');
  }
  /**
   * Moves what it can of the log into the file. SQLite's own checkpoints would keep a failure to
   * themselves, and a failed sync must be seen.
   */
  checkpoint(): void {
    try {
      this.db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch (error) {
      if (((codeOf(error) ?? 0) & 0xff) !== BUSY) throw error;
    }
  }
}

function checkIntegrity(connection: Connection): void {
  const bytes = connection.pragma('page_count') * connection.pragma('page_size');
  const check = bytes <= FULL_CHECK_BYTES_MAX ? 'integrity_check' : 'quick_check';
  const found = connection.db.prepare(`PRAGMA ${check}(1)`).get() ?? {};
  const [text] = Object.values(found);
  if (text !== 'ok') throw new Failed('damaged', `the database is damaged: ${String(text)}`);
}

function migrate(connection: Connection, { applicationId, migrations }: StoreSettings): void {
  const { db } = connection;
  const version = connection.pragma('user_version');
  const blank = version === 0 && connection.pragma('page_count') <= 1;
  if (!blank && connection.pragma('application_id') !== applicationId)
    throw new Failed('damaged', 'this file belongs to something else');
  if (version > migrations.length)
    throw new Failed('damaged', `written by a newer release (schema ${version})`);
  for (const [index, script] of migrations.entries()) {
    if (index < version) continue;
    db.exec('BEGIN IMMEDIATE');
    db.exec(script);
    db.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}

/** What the migrations made must stand in the file letter for letter; tables made later may too. */
function checkSchema(connection: Connection, { migrations }: StoreSettings): void {
  const made = new DatabaseSync(':memory:');
  for (const script of migrations) made.exec(script);
  const schema = "SELECT type, name, tbl_name, coalesce(sql, '') AS sql FROM sqlite_schema";
  const lines = (db: DatabaseSync): string[] =>
    db
      .prepare(schema)
      .all()
      .map((row) => Object.values(row).join(' '));
  const stored = new Set(lines(connection.db));
  const lost = lines(made).find((line) => !stored.has(line));
  made.close();
  if (lost !== undefined) throw new Failed('damaged', `the schema is damaged at ${lost}`);
}

function open(): Connection {
  const connection = new Connection(settings.file, settings.secureDelete);
  if (connection.pragma('page_count') > 1) {
    connection.truncateLog();
    checkIntegrity(connection);
  }
  migrate(connection, settings);
  checkSchema(connection, settings);
  return connection;
}

let current: Connection | null = null;
const texts: string[] = [];

/**
 * After a refused write the old connection is not trusted: it is closed, a new one moves the log
 * into the file and proves with a write of its own that the disk works.
 */
function connected(): Connection {
  if (current !== null) return current;
  const connection = new Connection(settings.file, settings.secureDelete);
  try {
    connection.truncateLog();
    connection.begin.run();
    connection.db.exec(`PRAGMA user_version = ${connection.pragma('user_version')}`);
    connection.commit.run();
  } catch (error) {
    connection.db.close();
    throw failureOf(error, false);
  }
  current = connection;
  return connection;
}
function abandon(): void {
  try {
    current?.db.close();
  } catch {
    // The failure that led here is the one to report.
  }
  current = null;
}

function prepare(connection: Connection, text: number): StatementSync {
  let statement = connection.prepared.get(text);
  if (statement === undefined) {
    statement = connection.db.prepare(texts[text]!);
    connection.prepared.set(text, statement);
  }
  return statement;
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
      const done = prepare(connection, text).run(...cells.slice(first, next));
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
  current = open();
  port.postMessage({ kind: 'ready' } satisfies Reply);
  serve();
} catch (error) {
  // The statements of `open` are right, so one that cannot run met a damaged file.
  const damaged = ((codeOf(error) ?? 0) & 0xff) === ERROR;
  const { failure, message } = damaged
    ? new Failed('damaged', textOf(error))
    : failureOf(error, false);
  port.postMessage({ kind: 'failed', failure, detail: message } satisfies Reply);
}
