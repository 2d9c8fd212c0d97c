import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { StoreDamaged, StoreUnavailable } from './errors.js';
import type { SqlValue } from './protocol.js';

const PREPARED_MAX = 256;
const IOERR = 10;
const CORRUPT = 11;
const NOTADB = 26;
const BUSY_MS_MAX = 5_000;

/** Read-only connection on the caller's thread: sees what is committed, that is fsynced. */
export class Reader {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(readonly file: string) {
    this.#db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS_MAX });
    this.#db.exec('PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;');
    // Opens the log too, while its name leads to it.
    this.#db.prepare('SELECT count(*) FROM sqlite_schema').get();
  }

  all<R>(sql: string, params: readonly SqlValue[]): R[] {
    return this.#guarded(() => this.#prepare(sql).all(...params) as R[]);
  }
  get<R>(sql: string, params: readonly SqlValue[]): R | null {
    return this.#guarded(() => (this.#prepare(sql).get(...params) as R | undefined) ?? null);
  }
  *each<R>(sql: string, params: readonly SqlValue[]): Generator<R, void, undefined> {
    // Taken out while it is used: a second reader of the same text would reset it.
    const statement = this.#guarded(() => this.#prepare(sql));
    this.#prepared.delete(sql);
    const rows = statement.iterate(...params);
    try {
      for (;;) {
        const next = this.#guarded(() => rows.next());
        if (next.done === true) return;
        yield next.value as R;
      }
    } finally {
      rows.return?.();
      this.#prepared.set(sql, statement);
    }
  }
  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #prepare(sql: string): StatementSync {
    const kept = this.#prepared.get(sql);
    if (kept !== undefined) return kept;
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size >= PREPARED_MAX && oldest !== undefined) this.#prepared.delete(oldest);
    const statement = this.#db.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
  #guarded<T>(read: () => T): T {
    if (!this.#db.isOpen) throw new StoreUnavailable(this.file, 'it is closed');
    try {
      return read();
    } catch (error) {
      const { errcode, message } = error as { errcode?: number; message: string };
      const primary = (errcode ?? 0) & 0xff;
      if (primary === CORRUPT || primary === NOTADB) throw new StoreDamaged(this.file, message);
      if (primary === IOERR) throw new StoreUnavailable(this.file, message);
      throw error;
    }
  }
}
