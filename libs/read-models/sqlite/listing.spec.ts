import { DatabaseSync } from 'node:sqlite';
import type { ListQuery } from '@kcm/read-models';
import type { Indexes } from '@kcm/read-models/adapter';
import { creation, MIGRATIONS } from './collections.js';
import { compile } from './listing.js';

const INDEXES: Indexes = [
  { fields: ['at'] },
  { fields: ['tenant'] },
  { fields: ['tenant', 'at'] },
  { fields: ['tenant', 'state'] },
];

describe('listing', () => {
  const db = new DatabaseSync(':memory:');
  for (const script of MIGRATIONS) db.exec(script);
  const get = <R>(sql: string) => db.prepare(sql).get() as R;
  const { table, statements } = creation({ get }, 'things', 1, INDEXES);
  for (const { sql, params = [] } of statements) db.prepare(sql).run(...params);
  const collection = { name: 'things', version: 1, table, indexes: INDEXES, checkpoint: null };
  const plan = (query: Omit<ListQuery, 'limit'>): string => {
    const { sql, params } = compile(collection, { ...query, limit: 10 });
    const steps = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params);
    return steps.map(({ detail }) => String(detail)).join('; ');
  };

  it.each<[string, Omit<ListQuery, 'limit'>, RegExp]>([
    ['one field', { where: { tenant: 'a' } }, /_tenant \(/],
    ['two fields', { where: { tenant: 'a', state: 'b' } }, /_tenant_state \(/],
    ['a range alone', { where: {}, range: { field: 'at' }, order: 'desc' }, /_1_at\b/],
    ['a bounded range', { where: {}, range: { field: 'at', from: '1', to: '2' } }, /_1_at\b/],
    ['a field and a range', { where: { tenant: 'a' }, range: { field: 'at' } }, /_tenant_at\b/],
  ])('reads %s in the order of an index, without sorting', (_case, query, index) => {
    expect(plan(query)).toMatch(index);
    expect(plan(query)).not.toMatch(/TEMP B-TREE/);
  });
});
