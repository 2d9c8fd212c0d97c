import { canonicalJson, KcmError, Sha256 } from '@kcm/kernel';
import type { ListQuery } from '@kcm/read-models';

const ITEMS_MAX = 1_000;

/** Where the last page ended: the key, and the range's value when the list is ordered by it. */
export interface Place {
  readonly key: string;
  readonly value: string | number | null;
}

/** @throws RangeError */
export function checkedLimit(limit: number): number {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > ITEMS_MAX)
    throw new RangeError(`not a page size: ${limit}`);
  return limit;
}

/** A cursor goes on with the list it came from, whatever the size of its pages, and no other. */
function identity(name: string, { where, range, order = 'asc' }: ListQuery): string {
  const said = { name, where, order, ...(range === undefined ? {} : { range: { ...range } }) };
  return new Sha256().update(canonicalJson(said)).hex().slice(0, 16);
}

export const encodeCursor = (name: string, query: ListQuery, { key, value }: Place): string =>
  Buffer.from(JSON.stringify([identity(name, query), key, value])).toString('base64url');

/** The place of the query's cursor; null where it has none. @throws KcmError invalid_request */
export function placeOf(name: string, query: ListQuery): Place | null {
  if (query.cursor === undefined) return null;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(query.cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parsed) && parsed.length === 3 && parsed[0] === identity(name, query)) {
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
