import type { OneOrMore } from '@kcm/kernel';
import { closeSync, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StoreUnavailable } from './errors.js';
import { lockFolder } from './folder-lock.js';
import { assertLogWhole } from './log-check.js';
import type { SqlValue, Statement, Written } from './protocol.js';
import { Reader } from './reader.js';
import { type OnCommit, type OnLost, Writer } from './writer.js';

export type Row = Readonly<Record<string, SqlValue>>;

export interface StoreOptions {
  /** Path of the database file; its folder is locked for this process while the store is open. */
  readonly file: string;
  /** 32-bit mark of whose file this is; another file is refused. */
  readonly applicationId: number;
  /** One DDL script a schema version, in order; never edited once released, only added to. */
  readonly migrations: readonly string[];
  /** Overwrite deleted content with zeros (the write-ahead log needs `truncateLog` besides). */
  readonly secureDelete?: boolean;
  /** Told of each committed transaction. Must not throw. */
  readonly onCommit?: OnCommit;
  /**
   * The process must end without closing the store: its next start writes anew what the log holds.
   * Must not throw.
   */
  readonly onLost?: OnLost;
}
/**
 * One SQLite file: a writer in its own thread with group commit, a reader on the caller's thread.
 */
export interface SqliteStore {
  /** Resolved path of the database file. */
  readonly file: string;
  /**
   * One job: all statements or none. Durable (fsync) when it resolves; one result a statement.
   * Jobs are applied in the order of the calls; those that wait together share one transaction.
   * @throws WriteRefused (constraint or `changes` not met) · WriteInvalid · StoreFull
   *  · StoreUnavailable · StoreMoved · WriteOutcomeUnknown · StoreDamaged
   */
  write(statements: OneOrMore<Statement>): Promise<readonly Written[]>;
  /** All rows; sees only what is durable. @throws StoreDamaged · StoreUnavailable */
  all<R = Row>(sql: string, params?: readonly SqlValue[]): R[];
  /** First row or null. @throws StoreDamaged · StoreUnavailable */
  get<R = Row>(sql: string, params?: readonly SqlValue[]): R | null;
  /**
   * Rows one by one, for early exit: holds a read transaction, so finish it without awaiting.
   * @throws StoreDamaged · StoreUnavailable
   */
  each<R = Row>(sql: string, params?: readonly SqlValue[]): Iterable<R>;
  /**
   * Moves the write-ahead log into the database file and empties it; resolves once no old page is
   * left in it. @throws StoreUnavailable while a reader of another connection holds it
   */
  truncateLog(): Promise<void>;
  /** Writes what waits, then closes; later calls throw StoreUnavailable. */
  close(): Promise<void>;
}

/**
 * Files that this process has open: a second writer of one file would not see the first's queue.
 */
const openFiles = new Set<string>();

/** @throws FolderLocked · StoreDamaged · StoreUnavailable */
export async function openStore(options: StoreOptions): Promise<SqliteStore> {
  const lock = lockFolder(dirname(options.file));
  const file = join(lock.folder, basename(options.file));
  if (openFiles.has(file)) {
    lock.release();
    throw new StoreUnavailable(file, 'this process has it open already');
  }
  openFiles.add(file);
  const free = (): void => {
    openFiles.delete(file);
    lock.release();
  };
  let writer: Writer | null = null;
  try {
    const { applicationId, migrations, secureDelete = false, onCommit, onLost } = options;
    createPrivately(file);
    assertLogWhole(file);
    const settings = { file, applicationId, migrations, secureDelete };
    writer = await Writer.start(settings, onCommit, onLost);
    return new OpenStore(file, writer, new Reader(file), free);
  } catch (error) {
    await writer?.close();
    free();
    throw error;
  }
}

/** Readable by this user only, from its first byte. */
function createPrivately(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
}

class OpenStore implements SqliteStore {
  #closing: Promise<void> | null = null;

  constructor(
    readonly file: string,
    readonly writer: Writer,
    readonly reader: Reader,
    readonly free: () => void,
  ) {}

  write(statements: OneOrMore<Statement>): Promise<readonly Written[]> {
    return this.writer.write(statements);
  }
  all<R = Row>(sql: string, params: readonly SqlValue[] = []): R[] {
    return this.reader.all<R>(sql, params);
  }
  get<R = Row>(sql: string, params: readonly SqlValue[] = []): R | null {
    return this.reader.get<R>(sql, params);
  }
  each<R = Row>(sql: string, params: readonly SqlValue[] = []): Iterable<R> {
    return this.reader.each<R>(sql, params);
  }
  truncateLog(): Promise<void> {
    return this.writer.truncateLog();
  }
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }
  async #close(): Promise<void> {
    // The reader first: the last connection to close empties and removes the write-ahead log.
    this.reader.close();
    try {
      await this.writer.close();
    } finally {
      this.free();
    }
  }
}
