import type { Collection } from 'mongodb';
import { KcmError, type Position } from '@kcm/kernel';
import { isDuplicateKey } from '@kcm/mongodb';
import type { Stored } from '@kcm/read-models';
import type { Indexes } from '@kcm/read-models/adapter';
import type { Row } from './catalog.js';

const ATTEMPTS_MAX = 3;

/**
 * Each document only over an older one, each a write of its own: whoever repeats it after any of
 * them changes nothing. @throws KcmError revision_conflict: a unique index refuses one
 */
export async function writeGuarded(
  rows: Collection<Row>,
  docs: readonly Row[],
  ordered: boolean,
): Promise<void> {
  let left = docs;
  for (let attempt = 1; left.length > 0; attempt += 1)
    try {
      await rows.bulkWrite(
        left.map(({ _id, at, doc }) => ({
          updateOne: {
            filter: { _id, at: { $lt: at } },
            update: { $set: { at, doc } },
            upsert: true,
          },
        })),
        { ordered },
      );
      return;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      // Of a key that is there already: it holds this write or a newer one, or another one won.
      const stored = await positions(rows, left);
      left = left.filter(({ _id, at }) => (stored.get(_id) ?? '') < at);
      if (attempt === ATTEMPTS_MAX && left.length > 0) throw refused(left[0]!._id);
    }
}

async function positions(rows: Collection<Row>, docs: readonly Row[]) {
  const which = { _id: { $in: docs.map(({ _id }) => _id) } };
  const found = await rows.find(which, { projection: { at: 1 } }).toArray();
  return new Map<string, Position>(found.map(({ _id, at }) => [_id, at]));
}

/**
 * Refuses, before the first write, a batch that would break a unique index part-way: the writes
 * are looked through in their order, over what is stored.
 * @throws KcmError revision_conflict
 */
export async function refuseRepeats(
  rows: Collection<Row>,
  docs: readonly Row[],
  indexes: Indexes,
): Promise<void> {
  for (const { fields } of indexes.filter(({ unique }) => unique === true)) {
    const valueOf = ({ doc }: Row): string | null => {
      const values = fields.map((field) => doc?.[field] ?? null);
      return values.includes(null) ? null : JSON.stringify(values);
    };
    const wanted = docs
      .filter((row) => valueOf(row) !== null)
      .map(({ doc }) => Object.fromEntries(fields.map((f) => [`doc.${f}`, { $eq: doc![f] }])));
    const keys = { _id: { $in: docs.map(({ _id }) => _id) } };
    const stored = await rows.find({ $or: [keys, ...wanted] }).toArray();
    const latest = new Map(stored.map((row) => [row._id, row]));
    const holders = new Map(stored.map((row) => [valueOf(row), row._id]));
    for (const row of docs) {
      const before = latest.get(row._id);
      if (before !== undefined && before.at >= row.at) continue;
      if (before !== undefined) holders.delete(valueOf(before));
      const value = valueOf(row);
      if (value !== null && holders.has(value)) throw refused(row._id);
      holders.set(value, row._id);
      latest.set(row._id, row);
    }
  }
}

/** A batch as it is stored. Null-valued keys stay, undefined ones go, as in JSON. */
export const rowsFrom = <D>(docs: readonly Stored<D>[]): readonly Row[] =>
  docs.map(({ key, doc, at }) => ({ _id: key, at, doc: doc as Row['doc'] }));

const refused = (key: string) =>
  new KcmError(
    'revision_conflict',
    `The document ${key} repeats what another one must be alone with.`,
  );
