import type { Db } from 'mongodb';
import { canonicalJson, type Json, KcmError, Sha256 } from '@kcm/kernel';
import { type MongoConnection, type MongoOptions, openMongo } from '@kcm/mongodb';
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
  activeOf,
  advance,
  checkpointOf,
  createVersion,
  findVersion,
  type Model,
  modelsOf,
  reindex,
  rowsOf,
  sweep,
  type Version,
} from './catalog.js';
import { refuseRepeats, rowsFrom, writeGuarded } from './guarded.js';
import { compile, pageOf } from './listing.js';
import { Poll } from './poll.js';

/** Reads of something that changes meanwhile are tried so often. */
const READS_MAX = 10;
const DIGEST_BATCH = 500;

type Digest = NonNullable<Awaited<ReturnType<ReadModelReader['digest']>>>;

/** @throws MongoUnavailable · MongoRefused · KcmError invalid_request (the URL) */
export async function openMongoReadModels(options: MongoOptions): Promise<MongoReadModels> {
  return new MongoReadModels(await openMongo(options));
}

/**
 * Read models in one MongoDB database: a collection a version, named by the one document of its
 * name in `models`. No transaction: each write is of one document and guarded, the checkpoint comes
 * last, so a process that ends between two writes repeats only what changes nothing.
 */
export class MongoReadModels implements ReadModelWriter, ReadModelReader, ReadModelWatcher {
  readonly #waiters = new Waiters();
  readonly #watchers = new Watchers();
  readonly #poll: Poll;

  constructor(private readonly mongo: MongoConnection) {
    this.#poll = new Poll(
      (names) =>
        mongo.run((db) =>
          modelsOf(db)
            .find({ _id: { $in: names } })
            .toArray(),
        ),
      () => new Set([...this.#waiters.names, ...this.#watchers.names]),
      (name, documents) => {
        this.#waiters.wake(name);
        if (documents) this.#watchers.tell(name, null);
      },
    );
  }

  async checkpoint(name: string, version: number): Promise<Checkpoint | null> {
    return checkpointOf(await this.mongo.run((db) => findVersion(db, name, version)));
  }

  async load<D>(
    name: string,
    version: number,
    keys: readonly DocKey[],
  ): Promise<ReadonlyMap<DocKey, Stored<D>>> {
    return this.mongo.run(async (db) => {
      const known = await findVersion(db, name, version);
      if (known === null || keys.length === 0) return new Map();
      const which = { _id: { $in: [...keys] as string[] } };
      const rows = await rowsOf(db, known)
        .find(which, { sort: { _id: 1 } })
        .toArray();
      return new Map(
        rows.map(({ _id, at, doc }) => {
          const key = _id as DocKey;
          return [key, { key, doc: doc as D | null, at }];
        }),
      );
    });
  }

  async commit<D>(
    name: string,
    version: number,
    docs: readonly Stored<D>[],
    next: Checkpoint,
    indexes: Indexes,
  ): Promise<void> {
    checkedName(name);
    await this.#write(async (db) => {
      const found = await findVersion(db, name, version);
      if (found?.ledger !== undefined && found.ledger !== next.ledger)
        throw new CheckpointOfAnotherLedger(name, found.ledger, next.ledger);
      const known = found ?? (await createVersion(db, name, version));
      await reindex(db, name, version, known, indexes);
      const rows = rowsOf(db, known);
      const batch = rowsFrom(docs);
      await refuseRepeats(rows, batch, indexes);
      await writeGuarded(
        rows,
        batch,
        indexes.some(({ unique }) => unique === true),
      );
      await advance(db, name, version, known, next, docs.length > 0);
    });
    this.#waiters.wake(name);
    if (docs.length > 0)
      this.#watchers.tell(
        name,
        docs.map(({ key }) => key),
      );
  }

  async activate(name: string, version: number): Promise<void> {
    const _id = checkedName(name);
    await this.#write(async (db) => {
      const model = await modelsOf(db).findOne({ _id });
      const older = Object.keys(model?.versions ?? {}).filter((one) => Number(one) < version);
      const forget = Object.fromEntries(older.map((one) => [`versions.${one}`, 1] as const));
      await modelsOf(db).updateOne(
        { _id },
        { $set: { active: version }, ...(older.length > 0 ? { $unset: forget } : {}) },
        { upsert: true },
      );
    });
    this.#tellAll(name);
    await this.mongo.run(sweep);
  }

  async reset(name: string, version: number): Promise<void> {
    await this.#write(async (db) => {
      if ((await findVersion(db, name, version)) === null) return;
      await modelsOf(db).updateOne({ _id: name }, forgetting(version));
      await sweep(db);
    });
  }

  async replace(name: string, version: number, built: string): Promise<void> {
    const _id = checkedName(name);
    await this.#write(async (db) => {
      const made = await findVersion(db, built, version);
      if (made === null) throw new KcmError('internal', `${built} has no version ${version}.`);
      // In this order the collection is somebody's at each moment.
      await modelsOf(db).updateOne(
        { _id },
        { $set: { active: version, [`versions.${version}`]: made } },
        { upsert: true },
      );
      await modelsOf(db).updateOne({ _id: built }, forgetting(version, 'active'));
    });
    this.#tellAll(name);
    await this.mongo.run(sweep);
  }

  async get<D>(
    name: string,
    key: DocKey,
  ): Promise<{ readonly doc: D; readonly asOf: Checkpoint } | null> {
    return this.#read(name, async (db, version) => {
      // The document may be newer than the checkpoint read before it: never older.
      const asOf = checkpointOf(version);
      if (version === null || asOf === null) return { answer: null, sure: false };
      const row = await rowsOf(db, version).findOne({ _id: key });
      const answer = row === null || row.doc === null ? null : { doc: row.doc as D, asOf };
      return { answer, sure: answer !== null };
    });
  }

  async list<D>(name: string, query: ListQuery): Promise<Page<D>> {
    return this.#read(name, async (db, version) => {
      if (version === null) return { answer: { items: [], next: null }, sure: false };
      const { filter, sort, limit } = compile(name, version, query);
      const rows = await rowsOf(db, version).find(filter, { sort, limit }).toArray();
      return { answer: pageOf<D>(name, query, rows), sure: false };
    });
  }

  async waitFor(name: string, token: ReadToken, waitMs: number): Promise<Checkpoint> {
    const asOf = async () => {
      const model = await this.mongo.run((db) => modelsOf(db).findOne({ _id: name }));
      // Whoever sleeps after this is in the interest of the next look.
      setImmediate(() => this.#poll.start());
      return model && checkpointOf(activeOf(model));
    };
    return this.#waiters.wait(name, token, waitMs, asOf);
  }

  /**
   * Of the documents at one checkpoint; while commits go on, of a moment between two of them.
   * @throws ReadModelBehind where none was found
   */
  async digest(name: string): Promise<Digest | null> {
    return this.mongo.run(async (db) => {
      for (let attempt = 1; attempt <= READS_MAX; attempt += 1) {
        const model = await modelsOf(db).findOne({ _id: name });
        if (model?.active === undefined) return null;
        const version = activeOf(model);
        const digest = await hashRows(db, model.active, version);
        const after = await modelsOf(db).findOne({ _id: name });
        const now = after && activeOf(after);
        const same = now?.position === version?.position && isSame(now, version);
        if (digest !== null && same) return digest;
      }
      throw new ReadModelBehind(name, null);
    });
  }

  watch(name: string, changed: (keys: readonly DocKey[] | null) => void): () => void {
    const end = this.#watchers.add(name, changed);
    this.#poll.start();
    return end;
  }

  async close(): Promise<void> {
    this.#poll.close();
    await this.mongo.close();
    this.#waiters.close();
  }

  /**
   * The version that readers are pointed at, and what `read` found in it. An answer that may be
   * that of a collection which was dropped meanwhile is read again from the one in its place.
   */
  async #read<T>(
    name: string,
    read: (db: Db, version: Version | null) => Promise<{ answer: T; sure: boolean }>,
  ): Promise<T> {
    await this.#poll.ready();
    return this.mongo.run(async (db) => {
      let version = await this.#active(db, name);
      for (let attempt = 1; ; attempt += 1) {
        const { answer, sure } = await read(db, version);
        if (sure) return answer;
        const now = await this.#active(db, name);
        if (isSame(now, version) || attempt === READS_MAX) return answer;
        version = now;
      }
    });
  }

  async #active(db: Db, name: string): Promise<Version | null> {
    const model: Model | null = await modelsOf(db).findOne({ _id: name });
    if (model?.active === undefined) throw new ReadModelBehind(name, null);
    return activeOf(model);
  }

  #write(write: (db: Db) => Promise<void>): Promise<void> {
    return this.#poll.own(() => this.mongo.run(write));
  }

  #tellAll(name: string): void {
    this.#waiters.wake(name);
    this.#watchers.tell(name, null);
  }
}

const isSame = (one: Version | null, other: Version | null): boolean =>
  one?.collection === other?.collection;

const forgetting = (version: number, ...more: readonly string[]): object => ({
  $unset: Object.fromEntries([`versions.${version}`, ...more].map((path) => [path, 1])),
});

/** Null where a document is newer than the checkpoint: a commit is under way. */
async function hashRows(db: Db, number: number, version: Version | null): Promise<Digest | null> {
  const hash = new Sha256();
  let documents = 0;
  const position = checkpointOf(version)?.position ?? null;
  const rows =
    version === null
      ? []
      : rowsOf(db, version).find({}, { sort: { _id: 1 }, batchSize: DIGEST_BATCH });
  for await (const { _id, at, doc } of rows) {
    if (position === null || at > position) return null;
    if (doc === null) continue;
    hash.update(`${canonicalJson([_id, doc as Json])}\n`);
    documents += 1;
  }
  return { version: number, position, documents, digest: hash.hex() };
}
