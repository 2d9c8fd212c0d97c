import { KeyedTurns } from '@kcm/kernel';
import { Binary, type Collection, type Filter } from 'mongodb';
import {
  isDuplicateKey,
  type MongoConnection,
  type MongoOptions,
  MongoUnavailable,
  openMongo,
} from '@kcm/mongodb';
import { type BlobStore, blobKey, under } from '@kcm/vault';

interface Blob {
  readonly _id: string;
  readonly bytes: Binary;
}
const UPSERTS_MAX = 3;

/**
 * Blobs in one collection a role, so that no role reads what another one keeps.
 *
 * An erase resolves once a majority has no such document. What the server keeps besides, it frees
 * in its own time: pages of its files, its journal, its oplog and its backups.
 * @throws MongoUnavailable · MongoRefused · KcmError invalid_request (the URL)
 */
export async function openMongoBlobStore(
  options: MongoOptions & { readonly role: 'vault' | 'erasure' | 'directory' },
): Promise<BlobStore> {
  return new MongoBlobStore(await openMongo(options), `blobs.${options.role}`);
}

class MongoBlobStore implements BlobStore {
  readonly #turns = new KeyedTurns();

  constructor(
    private readonly mongo: MongoConnection,
    private readonly name: string,
  ) {}

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const _id = blobKey(key);
    await this.#inTurn(_id, async (blobs) => {
      for (let attempt = 1; ; attempt += 1)
        try {
          await blobs.replaceOne({ _id }, { bytes: new Binary(bytes) }, { upsert: true });
          return;
        } catch (error) {
          // Another process was first: now there is something to replace.
          if (!isDuplicateKey(error) || attempt === UPSERTS_MAX) throw error;
        }
    });
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    const _id = blobKey(key);
    return this.#inTurn(_id, async (blobs) => {
      try {
        await blobs.insertOne({ _id, bytes: new Binary(bytes) });
        return true;
      } catch (error) {
        if (isDuplicateKey(error)) return false;
        throw error;
      }
    });
  }

  async replace(key: string, expected: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    const _id = blobKey(key);
    return this.#inTurn(_id, async (blobs) => {
      const held = { _id, bytes: new Binary(expected) };
      const { matchedCount } = await blobs.replaceOne(held, { bytes: new Binary(bytes) });
      return matchedCount === 1;
    });
  }

  async get(key: string): Promise<Buffer | null> {
    const _id = blobKey(key);
    const found = await this.#run((blobs) => blobs.findOne({ _id }));
    // A copy: the caller may change it.
    return found && Buffer.from(found.bytes.value());
  }

  async list(prefix: string): Promise<readonly string[]> {
    const path = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
    const which = path === '' ? {} : within(path);
    const found = await this.#run((blobs) =>
      blobs.find(which, { projection: { _id: 1 }, sort: { _id: 1 } }).toArray(),
    );
    return found.map(({ _id }) => _id);
  }

  async erase(prefix: string): Promise<number> {
    const which = within(prefix);
    return this.#run(async (blobs) => {
      const { deletedCount } = await blobs.deleteMany(which);
      const left = await blobs.countDocuments(which);
      if (left > 0) throw new MongoUnavailable(this.name, 'still has what was to be erased');
      return deletedCount;
    });
  }

  close(): Promise<void> {
    return this.mongo.close();
  }

  /** Writes of one key in the order of their calls: the driver has many connections. */
  #inTurn<T>(key: string, write: (blobs: Collection<Blob>) => Promise<T>): Promise<T> {
    return this.#turns.take(key, () => this.#run(write));
  }

  #run<T>(call: (blobs: Collection<Blob>) => Promise<T>): Promise<T> {
    return this.mongo.run((db) => call(db.collection<Blob>(this.name)));
  }
}

function within(path: string): Filter<Blob> {
  const [from, before] = under(path);
  return { $or: [{ _id: blobKey(path) }, { _id: { $gte: from, $lt: before } }] };
}
