import type { OneOrMore } from '@kcm/kernel';
import type { SqlValue, Statement, Written } from './protocol.js';

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
}
/** One SQLite file: a writer in its own thread with group commit, a reader on the caller's thread. */
export interface SqliteStore {
  /**
   * One job: all statements or none. Durable (fsync) when it resolves; one result a statement.
   * Jobs are applied in the order of the calls; those that wait together share one transaction.
   * @throws WriteRefused (constraint or `changes` not met) · WriteInvalid · StoreFull
   *  · StoreUnavailable · WriteOutcomeUnknown
   */
  write(statements: OneOrMore<Statement>): Promise<readonly Written[]>;
  /** All rows; sees only what is durable. @throws StoreDamaged */
  all<R = Row>(sql: string, params?: readonly SqlValue[]): R[];
  /** First row or null. @throws StoreDamaged */
  get<R = Row>(sql: string, params?: readonly SqlValue[]): R | null;
  /**
   * Rows one by one, for early exit: holds a read transaction, so finish it without awaiting.
   * @throws StoreDamaged
   */
  each<R = Row>(sql: string, params?: readonly SqlValue[]): Iterable<R>;
  /**
   * Moves the write-ahead log into the database file and empties it; resolves once no old page is
   * left in it. @throws StoreUnavailable while a reader of this or another connection holds it
   */
  truncateLog(): Promise<void>;
  /** Writes what waits, then closes; later calls throw StoreUnavailable. */
  close(): Promise<void>;
}
/** @throws FolderLocked · StoreDamaged · StoreUnavailable */
export declare function openStore(options: StoreOptions): Promise<SqliteStore>;
