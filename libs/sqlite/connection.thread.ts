/**
 * A connection of the writer thread: how a file is opened, checked and brought up to date, and what
 * a failure of SQLite means. As that thread's own file it imports node: modules and types only.
 */
import { statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Failure, StoreSettings } from './protocol.js';

// SQLite primary result codes.
const BUSY = 5;
const NOMEM = 7;
const CORRUPT = 11;
const FULL = 13;
const NOTADB = 26;
/** SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC. */
const SYNC_FAILED = new Set([10 | (4 << 8), 10 | (5 << 8)]);

/** Files up to this size are checked whole at open (about 1 s a GiB from the page cache). */
const FULL_CHECK_BYTES_MAX = 1024 * 1024 * 1024;
const BUSY_MS_MAX = 5_000;
/** Names that led to the open files are not looked up again for so long. */
const LOOKED_UP_MS = 1_000;

export class Failed extends Error {
  readonly failure: Failure;
  constructor(failure: Failure, detail: string) {
    super(detail);
    this.failure = failure;
  }
}

export const codeOf = (error: unknown): number | null => {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' ? code : null;
};
export const textOf = (error: unknown): string =>
  (error as { message?: string }).message ?? 'unknown';

/** @param committing whether it may be stored all the same */
export function failureOf(error: unknown, committing: boolean): Failed {
  if (error instanceof Failed) return error;
  const primary = (codeOf(error) ?? 0) & 0xff;
  const detail = `${textOf(error)}, SQLite ${codeOf(error) ?? 'none'}`;
  if (SYNC_FAILED.has(codeOf(error) ?? 0)) return new Failed('lost', detail);
  if (primary === FULL) return new Failed('full', detail);
  if (primary === CORRUPT || primary === NOTADB) return new Failed('damaged', detail);
  return new Failed(committing && primary !== NOMEM ? 'unknown' : 'unavailable', detail);
}

/** Device and inode of what a path leads to; null: to nothing. @throws Failed */
function identityOf(path: string): string | null {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found === undefined ? null : `${found.dev} ${found.ino}`;
  } catch (error) {
    const { code } = error as { code?: string };
    throw new Failed('unavailable', `its name cannot be looked up (${code ?? 'unknown'})`);
  }
}

/**
 * Where the open files lie. What is written once their names lead elsewhere ends with the process,
 * so it must not be acknowledged.
 */
export class Place {
  readonly #file: string;
  readonly #identity: string | null;
  #log: string | null = null;
  #lookedUpAt = 0;

  constructor(file: string) {
    this.#file = file;
    this.#identity = identityOf(file);
    this.opened();
  }
  /** A connection was opened: its log may be a new one. @throws Failed moved */
  opened(): void {
    this.assertFile();
    this.#log = identityOf(`${this.#file}-wal`);
  }
  /** Whether a connection may be opened: a name that leads to nothing would make a file. */
  assertFile(): void {
    if (identityOf(this.#file) !== this.#identity) throw new Failed('moved', 'it is not there');
  }
  /** Whether the connection may write. @throws Failed moved; looked up once a second */
  assertHere(): void {
    const now = performance.now();
    if (now - this.#lookedUpAt < LOOKED_UP_MS) return;
    this.#lookedUpAt = 0;
    this.assertFile();
    if (identityOf(`${this.#file}-wal`) !== this.#log)
      throw new Failed('moved', 'its write-ahead log is not there');
    this.#lookedUpAt = now;
  }
}

export class Connection {
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
  /** @param sql what `text` stands for */
  statement(text: number, sql: string): StatementSync {
    let statement = this.prepared.get(text);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      this.prepared.set(text, statement);
    }
    return statement;
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

/** @throws Failed, or what a statement threw */
export function openFile(settings: StoreSettings): Connection {
  const connection = new Connection(settings.file, settings.secureDelete);
  if (connection.pragma('page_count') > 1) {
    connection.truncateLog();
    checkIntegrity(connection);
  }
  migrate(connection, settings);
  checkSchema(connection, settings);
  return connection;
}

/**
 * After a refused write the old connection is not trusted: a new one moves the log into the file
 * and proves with a write of its own that the disk works. @throws Failed
 */
export function reopenFile(settings: StoreSettings): Connection {
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
  return connection;
}
