import type { LedgerId, Position } from '@kcm/kernel';
import type { Checkpoint } from '@kcm/read-models';
import { checkedField, checkedName, type Indexes } from '@kcm/read-models/adapter';
import type { SqliteStore, Statement } from '@kcm/sqlite';

/** One stored version of a read model: documents in a table of its own. */
export interface Collection {
  readonly name: string;
  readonly version: number;
  readonly table: string;
  readonly indexes: Indexes;
  readonly checkpoint: Checkpoint | null;
}
interface CollectionRow {
  readonly name: string;
  readonly version: number;
  readonly tbl: string;
  readonly indexes: string;
  readonly ledger: string | null;
  readonly position: string | null;
}

export const MIGRATIONS = [
  `CREATE TABLE collections(
     name TEXT NOT NULL, version INTEGER NOT NULL, serial INTEGER NOT NULL, tbl TEXT NOT NULL UNIQUE,
     indexes TEXT NOT NULL, ledger TEXT, position TEXT, PRIMARY KEY (name, version)
   ) STRICT;
   CREATE TABLE pointers(name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT`,
];

/** The expression that an index holds and a query must repeat to the letter. */
export const fieldOf = (field: string): string => `json_extract(doc, '$.${checkedField(field)}')`;

const parsed = (row: CollectionRow): Collection => ({
  name: row.name,
  version: row.version,
  table: row.tbl,
  indexes: JSON.parse(row.indexes) as Indexes,
  checkpoint:
    row.ledger === null || row.position === null
      ? null
      : { ledger: row.ledger as LedgerId, position: row.position as Position },
});

export function findCollection(
  store: Pick<SqliteStore, 'get'>,
  name: string,
  version: number,
): Collection | null {
  const sql = 'SELECT * FROM collections WHERE name = ? AND version = ?';
  const row = store.get<CollectionRow>(sql, [name, version]);
  return row && parsed(row);
}

/** What the pointer of a name says; `collection` is null while nothing was committed to it. */
export function findActive(
  store: Pick<SqliteStore, 'get'>,
  name: string,
): { readonly version: number; readonly collection: Collection | null } | null {
  const row = store.get<{ version: number }>('SELECT version FROM pointers WHERE name = ?', [name]);
  return row && { version: row.version, collection: findCollection(store, name, row.version) };
}

/** Tables that no collection owns: a process ended between forgetting one and dropping it. */
export function orphans(store: Pick<SqliteStore, 'all'>): readonly string[] {
  const sql = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '*__v[0-9]*'
               AND name NOT IN (SELECT tbl FROM collections)`;
  return store.all<{ name: string }>(sql).map(({ name }) => name);
}

export const dropTable = (table: string): Statement => ({ sql: `DROP TABLE IF EXISTS "${table}"` });

/** A new collection under a table name that nothing has had while this file is open. */
export function creation(
  store: Pick<SqliteStore, 'get'>,
  name: string,
  version: number,
  indexes: Indexes,
): { readonly table: string; readonly statements: readonly Statement[] } {
  const sql = 'SELECT coalesce(max(serial), 0) + 1 AS serial FROM collections';
  const { serial } = store.get<{ serial: number }>(sql)!;
  const table = `${checkedName(name)}__v${version}_${serial}`;
  return {
    table,
    statements: [
      {
        sql: `CREATE TABLE "${table}"(key TEXT PRIMARY KEY, doc TEXT, at TEXT NOT NULL) STRICT`,
      },
      ...indexes.map((index) => createIndex(table, index)),
      {
        sql: 'INSERT INTO collections(name, version, serial, tbl, indexes) VALUES (?, ?, ?, ?, ?)',
        params: [name, version, serial, table, JSON.stringify(indexes)],
      },
    ],
  };
}

/** Brings the indexes of a collection to what its projection declares now. */
export function reindexing(collection: Collection, indexes: Indexes): readonly Statement[] {
  const text = JSON.stringify(indexes);
  if (text === JSON.stringify(collection.indexes)) return [];
  return [
    ...collection.indexes.map((index) => ({
      sql: `DROP INDEX IF EXISTS "${indexName(collection.table, index)}"`,
    })),
    ...indexes.map((index) => createIndex(collection.table, index)),
    {
      sql: 'UPDATE collections SET indexes = ? WHERE tbl = ?',
      params: [text, collection.table],
      changes: 1,
    },
  ];
}

const indexName = (table: string, { fields, unique }: Indexes[number]): string =>
  `${table}_${fields.join('_')}${unique === true ? '_unique' : ''}`;

/** The key comes last, so that a page of one value is read in order without sorting. */
function createIndex(table: string, index: Indexes[number]): Statement {
  const columns = index.fields.map(fieldOf);
  const unique = index.unique === true;
  return {
    sql: `CREATE ${unique ? 'UNIQUE ' : ''}INDEX "${indexName(table, index)}" ON "${table}"
          (${[...columns, ...(unique ? [] : ['key'])].join(', ')}) WHERE doc IS NOT NULL`,
  };
}
