import { canonicalJson, KcmError, Sha256 } from '@kcm/kernel';
import type { DocKey, ListQuery, Page } from '@kcm/read-models';
import type { SqliteStore, SqlValue } from '@kcm/sqlite';
import { type Collection, fieldOf } from './collections.js';

const ITEMS_MAX = 1_000;

/** Where the last page ended: the key, and the range's value when the list is ordered by it. */
interface Place {
  readonly key: string;
  readonly value: string | number | null;
}
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
    next: more ? encodeCursor(identity(collection.name, query), last) : null,
  };
}

/** Exported for the spec that asks SQLite how it would run it. */
export function compile(
  collection: Collection,
  query: ListQuery,
): { readonly sql: string; readonly params: readonly SqlValue[] } {
  const { where, range, order = 'asc', limit, cursor } = query;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > ITEMS_MAX)
    throw new RangeError(`not a page size: ${limit}`);
  const indexed = new Set(collection.indexes.flatMap(({ fields }) => fields));
  const expression = (field: string): string => {
    if (!indexed.has(field)) throw new RangeError(`${collection.name} has no index on ${field}`);
    return fieldOf(field);
  };
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
  const place =
    cursor === undefined ? null : decodeCursor(identity(collection.name, query), cursor);
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

/** A cursor goes on with the list it came from, whatever the size of its pages, and no other. */
function identity(name: string, { where, range, order = 'asc' }: ListQuery): string {
  const said = { name, where, order, ...(range === undefined ? {} : { range: { ...range } }) };
  return new Sha256().update(canonicalJson(said)).hex().slice(0, 16);
}

const encodeCursor = (list: string, { key, value }: Place): string =>
  Buffer.from(JSON.stringify([list, key, value])).toString('base64url');

function decodeCursor(list: string, cursor: string): Place {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parsed) && parsed.length === 3 && parsed[0] === list) {
      const [, key, value] = parsed as unknown[];
      const plain = value === null || typeof value === 'string' || typeof value === 'number';
      if (typeof key === 'string' && plain) return { key, value };
    }
  } catch {
    // Falls through: whatever is wrong with the text, the answer is the same.
  }
  throw new KcmError('invalid_request', 'The cursor is not one of this list.', {
    errors: [{ path: 'cursor', code: 'malformed', detail: 'send back nextCursor as it came' }],
  });
}
