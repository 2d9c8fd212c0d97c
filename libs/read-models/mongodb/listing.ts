import type { Document, Filter, Sort } from 'mongodb';
import type { DocKey, ListQuery, Page } from '@kcm/read-models';
import {
  checkedLimit,
  encodeCursor,
  indexedField,
  type Indexes,
  type Place,
  placeOf,
} from '@kcm/read-models/adapter';
import type { Row, Version } from './catalog.js';

export interface Compiled {
  readonly filter: Filter<Row>;
  readonly sort: Sort;
  /** One more than the page holds. */
  readonly limit: number;
}

/** @throws KcmError invalid_request (cursor) · RangeError (query) */
export function compile(name: string, version: Version | null, query: ListQuery): Compiled {
  const { where, range, order = 'asc' } = query;
  const limit = checkedLimit(query.limit) + 1;
  const indexed = indexedField(name, JSON.parse(version?.indexes ?? '[]') as Indexes);
  const path = (field: string): string => `doc.${indexed(field)}`;
  const terms: Document[] = [{ doc: { $ne: null } }];
  for (const [field, value] of Object.entries(where)) terms.push({ [path(field)]: { $eq: value } });
  const by = range === undefined ? null : path(range.field);
  if (by !== null) {
    terms.push({ [by]: { $ne: null } });
    if (range?.from !== undefined) terms.push({ [by]: { $gte: range.from } });
    if (range?.to !== undefined) terms.push({ [by]: { $lt: range.to } });
  }
  const place = placeOf(name, query);
  if (place !== null) terms.push(...beyond(place, by, order));
  const direction = order === 'asc' ? 1 : -1;
  return {
    filter: { $and: terms },
    sort: { ...(by === null ? {} : { [by]: direction }), _id: direction },
    limit,
  };
}

function beyond({ key, value }: Place, by: string | null, order: 'asc' | 'desc'): Document[] {
  const [past, from] = order === 'asc' ? ['$gt', '$gte'] : ['$lt', '$lte'];
  if (by === null) return [{ _id: { [past]: key } }];
  return [
    // Said apart, so that the index is entered at the place and not at its beginning.
    { [by]: { [from]: value } },
    { $or: [{ [by]: { [past]: value } }, { [by]: { $eq: value }, _id: { [past]: key } }] },
  ];
}

export function pageOf<D>(name: string, query: ListQuery, rows: readonly Row[]): Page<D> {
  const shown = rows.slice(0, query.limit);
  const last = shown.at(-1);
  const value = query.range === undefined ? null : last?.doc?.[query.range.field];
  return {
    items: shown.map(({ _id, doc }) => ({ key: _id as DocKey, doc: doc as D })),
    next:
      rows.length > query.limit && last !== undefined
        ? encodeCursor(name, query, { key: last._id, value: value as Place['value'] })
        : null,
  };
}
