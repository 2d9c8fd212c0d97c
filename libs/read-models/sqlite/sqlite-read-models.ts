import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { canonicalJson, type Json, type OneOrMore, type Position, Sha256 } from '@kcm/kernel';
import {
  type Checkpoint,
  CheckpointOfAnotherLedger,
  type DocKey,
  type ListQuery,
  type Page,
  ReadModelBehind,
  type ReadModelReader,
  type ReadModelWatcher,
  type ReadModelWriter,
  type ReadToken,
  type Stored,
} from '@kcm/read-models';
import { checkedName, type Indexes, Waiters, Watchers } from '@kcm/read-models/adapter';
import {
  type OnLost,
  openStore,
  type SqliteStore,
  type SqlValue,
  type Statement,
} from '@kcm/sqlite';
import {
  type Collection,
  creation,
  dropTable,
  findActive,
  findCollection,
  MIGRATIONS,
  orphans,
  reindexing,
} from './collections.js';
import { listPage } from './listing.js';

const APPLICATION_ID = 0x4b434d52;
/** Documents hashed between two turns of the event loop. */
const DIGEST_CHUNK = 500;

interface DocRow {
  readonly key: DocKey;
  readonly doc: string | null;
  readonly at: Position;
}
type Digest = NonNullable<Awaited<ReturnType<ReadModelReader['digest']>>>;

/** @throws FolderLocked · StoreDamaged · StoreUnavailable */
export async function openSqliteReadModels(options: {
  /** Path of the database file; its folder is locked for this process while it is open. */
  readonly file: string;
  /** A sync failed: the process must end, and not close the store. Must not throw. */
  readonly onLost?: OnLost;
}): Promise<SqliteReadModels> {
  const { file, onLost } = options;
  const store = await openStore({
    file,
    applicationId: APPLICATION_ID,
    migrations: MIGRATIONS,
    ...(onLost === undefined ? {} : { onLost }),
  });
  for (const table of orphans(store)) await store.write([dropTable(table)]);
  return new SqliteReadModels(store);
}

/**
 * Read models in one SQLite file: a table a collection, named `{name}__v{version}_{serial}`.
 *
 * Reads are synchronous on the caller's thread and look up a table's name before they read it; so a
 * table is forgotten by one job and dropped by a later one, which this thread can only ask for
 * between two reads.
 */
export class SqliteReadModels implements ReadModelWriter, ReadModelReader, ReadModelWatcher {
  readonly #waiters = new Waiters();
  readonly #watchers = new Watchers();

  constructor(private readonly store: SqliteStore) {}

  async checkpoint(name: string, version: number): Promise<Checkpoint | null> {
    return findCollection(this.store, name, version)?.checkpoint ?? null;
  }

  async load<D>(
    name: string,
    version: number,
    keys: readonly DocKey[],
  ): Promise<ReadonlyMap<DocKey, Stored<D>>> {
    const collection = findCollection(this.store, name, version);
    if (collection === null || keys.length === 0) return new Map();
    const rows = this.store.all<DocRow>(
      `SELECT key, doc, at FROM "${collection.table}"
       WHERE key IN (SELECT value FROM json_each(?))`,
      [JSON.stringify(keys)],
    );
    return new Map(
      rows.map(({ key, doc, at }) => [
        key,
        { key, doc: doc === null ? null : (JSON.parse(doc) as D), at },
      ]),
    );
  }

  async commit<D>(
    name: string,
    version: number,
    docs: readonly Stored<D>[],
    next: Checkpoint,
    indexes: Indexes,
  ): Promise<void> {
    const known = findCollection(this.store, name, version);
    const stored = known?.checkpoint ?? null;
    if (stored !== null && stored.ledger !== next.ledger)
      throw new CheckpointOfAnotherLedger(name, stored.ledger, next.ledger);
    const { table, statements } =
      known === null
        ? creation(this.store, name, version, indexes)
        : { table: known.table, statements: reindexing(known, indexes) };
    await this.#write([
      ...statements,
      ...docs.map(({ key, doc, at }) => ({
        sql: `INSERT INTO "${table}" AS d (key, doc, at) VALUES (?, ?, ?) ON CONFLICT(key)
              DO UPDATE SET doc = excluded.doc, at = excluded.at WHERE d.at < excluded.at`,
        params: [key, doc === null ? null : JSON.stringify(doc), at],
      })),
      {
        sql: `UPDATE collections SET ledger = ?, position = max(coalesce(position, ''), ?)
              WHERE tbl = ?`,
        params: [next.ledger, next.position, table],
        changes: 1,
      },
    ]);
    this.#waiters.wake(name);
    if (docs.length > 0)
      this.#watchers.tell(
        name,
        docs.map(({ key }) => key),
      );
  }

  async activate(name: string, version: number): Promise<void> {
    const old = this.store.all<{ tbl: string }>(
      'SELECT tbl FROM collections WHERE name = ? AND version < ?',
      [name, version],
    );
    await this.#write([
      pointing(name, version),
      { sql: 'DELETE FROM collections WHERE name = ? AND version < ?', params: [name, version] },
    ]);
    this.#waiters.wake(name);
    this.#watchers.tell(name, null);
    await this.#drop(old.map(({ tbl }) => tbl));
  }

  async reset(name: string, version: number): Promise<void> {
    const known = findCollection(this.store, name, version);
    if (known === null) return;
    await this.#write([forgetting(name, version)]);
    await this.#drop([known.table]);
  }

  async replace(name: string, version: number, built: string): Promise<void> {
    const old = findCollection(this.store, name, version);
    await this.#write([
      forgetting(name, version),
      {
        sql: 'UPDATE collections SET name = ? WHERE name = ? AND version = ?',
        params: [checkedName(name), built, version],
        changes: 1,
      },
      pointing(name, version),
      { sql: 'DELETE FROM pointers WHERE name = ?', params: [built] },
    ]);
    this.#waiters.wake(name);
    this.#watchers.tell(name, null);
    await this.#drop(old === null ? [] : [old.table]);
  }

  async get<D>(
    name: string,
    key: DocKey,
  ): Promise<{ readonly doc: D; readonly asOf: Checkpoint } | null> {
    const collection = this.#active(name);
    if (collection === null || collection.checkpoint === null) return null;
    const sql = `SELECT doc FROM "${collection.table}" WHERE key = ? AND doc IS NOT NULL`;
    const row = this.store.get<{ doc: string }>(sql, [key]);
    // The document may be newer than the checkpoint read before it: never older.
    return row && { doc: JSON.parse(row.doc) as D, asOf: collection.checkpoint };
  }

  async list<D>(name: string, query: ListQuery): Promise<Page<D>> {
    const collection = this.#active(name);
    if (collection === null) return { items: [], next: null };
    return listPage<D>(this.store, collection, query);
  }

  waitFor(name: string, token: ReadToken, waitMs: number): Promise<Checkpoint> {
    const asOf = () => findActive(this.store, name)?.collection?.checkpoint ?? null;
    return this.#waiters.wait(name, token, waitMs, asOf);
  }

  /**
   * On a connection of its own, so that a long one sees one moment and does not hold up readers.
   */
  async digest(name: string): Promise<Digest | null> {
    const snapshot = new DatabaseSync(this.store.file, { readOnly: true, timeout: 5_000 });
    try {
      snapshot.exec('BEGIN');
      const get = <R>(sql: string, params: readonly SqlValue[] = []): R | null =>
        (snapshot.prepare(sql).get(...params) as R | undefined) ?? null;
      const active = findActive({ get }, name);
      if (active === null) return null;
      const { version, collection } = active;
      const hash = new Sha256();
      let documents = 0;
      if (collection !== null) {
        const rows = snapshot
          .prepare(`SELECT key, doc FROM "${collection.table}" WHERE doc IS NOT NULL ORDER BY key`)
          .iterate() as unknown as Iterable<{ key: string; doc: string }>;
        for (const { key, doc } of rows) {
          hash.update(`${canonicalJson([key, JSON.parse(doc) as Json])}\n`);
          documents += 1;
          if (documents % DIGEST_CHUNK === 0) await turn();
        }
      }
      const position = collection?.checkpoint?.position ?? null;
      return { version, position, documents, digest: hash.hex() };
    } finally {
      snapshot.close();
    }
  }

  watch(name: string, changed: (keys: readonly DocKey[] | null) => void): () => void {
    return this.#watchers.add(name, changed);
  }

  async close(): Promise<void> {
    await this.store.close();
    this.#waiters.close();
  }

  #active(name: string): Collection | null {
    const active = findActive(this.store, name);
    if (active === null) throw new ReadModelBehind(name, null);
    return active.collection;
  }

  async #write(statements: readonly Statement[]): Promise<void> {
    await this.store.write(statements as unknown as OneOrMore<Statement>);
  }

  async #drop(tables: readonly string[]): Promise<void> {
    for (const table of tables) await this.#write([dropTable(table)]);
  }
}

const pointing = (name: string, version: number): Statement => ({
  sql: `INSERT INTO pointers(name, version) VALUES (?, ?)
        ON CONFLICT(name) DO UPDATE SET version = excluded.version`,
  params: [checkedName(name), version],
});
const forgetting = (name: string, version: number): Statement => ({
  sql: 'DELETE FROM collections WHERE name = ? AND version = ?',
  params: [name, version],
});
