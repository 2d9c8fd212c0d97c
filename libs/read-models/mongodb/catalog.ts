import { type Db, ObjectId } from 'mongodb';
import { KcmError, type LedgerId, type Position } from '@kcm/kernel';
import { isDuplicateKey } from '@kcm/mongodb';
import { type Checkpoint, CheckpointOfAnotherLedger } from '@kcm/read-models';
import type { Indexes } from '@kcm/read-models/adapter';

/** One version of a read model: its documents lie in a collection that nothing else ever had. */
export interface Version {
  readonly collection: string;
  /** JSON of those that queries may name; null before the first. */
  readonly indexes: string | null;
  /** What the collection has may be others: they are being changed, or were when a process ended. */
  readonly reindexing?: true;
  readonly ledger?: LedgerId;
  readonly position?: Position;
  /** Of the last commit that brought documents. */
  readonly changed?: Position;
}
/**
 * Everything of one name in one document, so that each step is one write of one document: readers
 * see all of it or nothing.
 */
export interface Model {
  readonly _id: string;
  /** The version that readers are pointed at. */
  readonly active?: number;
  readonly versions?: { readonly [version: string]: Version };
}
/** One document of a read model; null where it was deleted: older writes do not bring it back. */
export interface Row {
  readonly _id: string;
  readonly at: Position;
  readonly doc: { readonly [field: string]: unknown } | null;
}
const COLLECTION = /^model\..+\.v\d+\.[0-9a-f]{24}$/;

export const modelsOf = (db: Db) => db.collection<Model>('models');
export const rowsOf = (db: Db, version: Version) => db.collection<Row>(version.collection);

export const checkpointOf = (version: Version | null): Checkpoint | null =>
  version?.ledger === undefined || version.position === undefined
    ? null
    : { ledger: version.ledger, position: version.position };

export const activeOf = (model: Model): Version | null =>
  model.active === undefined ? null : (model.versions?.[model.active] ?? null);

export async function findVersion(db: Db, name: string, version: number): Promise<Version | null> {
  const model = await modelsOf(db).findOne({ _id: name });
  return model?.versions?.[version] ?? null;
}

/** Names the collection before it exists, so that no collection is anybody's but a name's. */
export async function createVersion(db: Db, name: string, version: number): Promise<Version> {
  const path = `versions.${version}`;
  const collection = `model.${name}.v${version}.${new ObjectId().toHexString()}`;
  try {
    await modelsOf(db).updateOne(
      { _id: name, [path]: { $exists: false } },
      { $set: { [path]: { collection, indexes: null } } },
      { upsert: true },
    );
  } catch (error) {
    // The name has this version by now.
    if (!isDuplicateKey(error)) throw error;
  }
  const made = await findVersion(db, name, version);
  if (made === null) throw gone(name, version);
  return made;
}

/** Brings the indexes of a version to what its projection declares now; a repeat changes nothing. */
export async function reindex(
  db: Db,
  name: string,
  version: number,
  known: Version,
  indexes: Indexes,
): Promise<void> {
  const said = JSON.stringify(indexes);
  if (known.indexes === said && known.reindexing === undefined) return;
  const path = `versions.${version}`;
  const own = { _id: name, [`${path}.collection`]: known.collection };
  const rows = rowsOf(db, known);
  const wanted = indexes.map(indexOf);
  // Readers go on by the old ones meanwhile; whoever goes on after a crash begins anew.
  if (known.indexes !== null)
    await modelsOf(db).updateOne(own, { $set: { [`${path}.reindexing`]: true } });
  const exists = (await db.listCollections({ name: known.collection }).toArray()).length > 0;
  for (const { name: index } of exists ? await rows.indexes() : [])
    if (index !== undefined && index !== '_id_' && !wanted.some((one) => one.name === index))
      await rows.dropIndex(index);
  if (wanted.length > 0) await rows.createIndexes(wanted);
  await modelsOf(db).updateOne(own, {
    $set: { [`${path}.indexes`]: said },
    $unset: { [`${path}.reindexing`]: 1 },
  });
}

/** The key comes last, so that a page of one value is read in order without sorting. */
function indexOf({ fields, unique = false }: Indexes[number]) {
  const paths = fields.map((field) => `doc.${field}`);
  const every = (value: unknown) => Object.fromEntries(paths.map((path) => [path, value]));
  return unique
    ? {
        name: `${fields.join('_')}_unique`,
        key: every(1) as Record<string, 1>,
        unique: true,
        // A document that lacks one of them, as a deleted one does, repeats nothing.
        partialFilterExpression: every({ $exists: true }),
      }
    : { name: fields.join('_'), key: { ...every(1), _id: 1 } as Record<string, 1> };
}

/** The last write of a commit; never back. @throws CheckpointOfAnotherLedger */
export async function advance(
  db: Db,
  name: string,
  version: number,
  known: Version,
  next: Checkpoint,
  changed: boolean,
): Promise<void> {
  const path = `versions.${version}`;
  const { matchedCount } = await modelsOf(db).updateOne(
    {
      _id: name,
      [`${path}.collection`]: known.collection,
      [`${path}.ledger`]: { $in: [null, next.ledger] },
    },
    {
      $set: { [`${path}.ledger`]: next.ledger },
      $max: {
        [`${path}.position`]: next.position,
        ...(changed ? { [`${path}.changed`]: next.position } : {}),
      },
    },
  );
  if (matchedCount === 1) return;
  const now = await findVersion(db, name, version);
  if (now?.collection === known.collection && now.ledger !== undefined)
    throw new CheckpointOfAnotherLedger(name, now.ledger, next.ledger);
  throw gone(name, version);
}

/**
 * Drops the collections that no name has: what was forgotten just now, and what a process that
 * ended in between has left. One that moves from a name to another is seen by the second look.
 */
export async function sweep(db: Db): Promise<void> {
  const all = await db.listCollections({}, { nameOnly: true }).toArray();
  const left = new Set(all.map(({ name }) => name).filter((name) => COLLECTION.test(name)));
  for (let look = 0; look < 2 && left.size > 0; look += 1)
    for (const { versions = {} } of await modelsOf(db).find().toArray())
      for (const { collection } of Object.values(versions)) left.delete(collection);
  for (const name of left) await db.dropCollection(name);
}

const gone = (name: string, version: number) =>
  new KcmError('revision_conflict', `Version ${version} of ${name} was reset meanwhile.`);
