import type { DocKey, ListQuery, Page } from '@kcm/read-models';
import { checkedLimit, encodeCursor, indexedField, placeOf } from '@kcm/read-models/adapter';
import type { SqliteStore, SqlValue } from '@kcm/sqlite';
import { type Collection, fieldOf } from './collections.js';

interface Row {
  readonly key: DocKey;
  readonly doc: string;
  readonly value: string | number | null;
}

/** One page of a collection. @throws KcmError invalid_request (cursor) · RangeError (query) */
export function listPage<D>(
  store: Pick<SqliteStore, 'all'>,
  collection: Collection,
  query: ListQuery,
): Page<D> {
  const { sql, params } = compile(collection, query);
  const rows = store.all<Row>(sql, params);
  const shown = rows.slice(0, query.limit);
  const last = shown.at(-1);
  const more = rows.length > query.limit && last !== undefined;
  return {
    items: shown.map(({ key, doc }) => ({ key, doc: JSON.parse(doc) as D })),
    next: more ? encodeCursor(collection.name, query, last) : null,
  };
}

/** Exported for the spec that asks SQLite how it would run it. */
export function compile(
  collection: Collection,
  query: ListQuery,
): { readonly sql: string; readonly params: readonly SqlValue[] } {
  const { where, range, order = 'asc' } = query;
  const limit = checkedLimit(query.limit);
  const indexed = indexedField(collection.name, collection.indexes);
  const expression = (field: string): string => fieldOf(indexed(field));
  const terms: string[] = ['doc IS NOT NULL'];
  const params: SqlValue[] = [];
  const add = (term: string, ...values: SqlValue[]): void => {
    terms.push(term);
    params.push(...values);
  };
  for (const [field, value] of Object.entries(where))
    add(`${expression(field)} = ?`, typeof value === 'boolean' ? Number(value) : value);
  const by = range === undefined ? null : expression(range.field);
  if (by !== null) {
    add(`${by} IS NOT NULL`);
    if (range?.from !== undefined) add(`${by} >= ?`, range.from);
    if (range?.to !== undefined) add(`${by} < ?`, range.to);
  }
  const place = placeOf(collection.name, query);
  const beyond = order === 'asc' ? '>' : '<';
  if (place !== null && by === null) add(`key ${beyond} ?`, place.key);
  if (place !== null && by !== null) add(`(${by}, key) ${beyond} (?, ?)`, place.value, place.key);
  const direction = order === 'asc' ? 'ASC' : 'DESC';
  const ordered = [...(by === null ? [] : [by]), 'key'].map((term) => `${term} ${direction}`);
  return {
    sql: `SELECT key, doc, ${by ?? 'NULL'} AS value FROM "${collection.table}"
          WHERE ${terms.join(' AND ')} ORDER BY ${ordered.join(', ')} LIMIT ?`,
    params: [...params, limit + 1],
  };
}
