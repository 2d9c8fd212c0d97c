import { crc32 } from 'node:zlib';
import {
  type OnLost,
  openStore,
  StoreDamaged,
  type SqliteStore,
  type SqlValue,
  type Statement,
} from '@kcm/sqlite';
import { type BlobStore, blobKey, under } from '@kcm/vault';

export interface SqliteBlobStoreOptions {
  /** Path of the database file; its folder is locked for this process while it is open. */
  readonly file: string;
  /** What the file is for; a file of another role is refused. */
  readonly role: 'vault' | 'erasure' | 'directory';
  /** A sync failed: the process must end, and not close the store. Must not throw. */
  readonly onLost?: OnLost;
  /** A blob was asked for and is not what was stored. Must not throw. */
  readonly onDamaged?: OnDamaged;
}
/** Told of each damaged blob that was met, however often: the error names the file and the path. */
export type OnDamaged = (error: StoreDamaged) => void;

const APPLICATION_ID = {
  vault: 0x4b434d56,
  erasure: 0x4b434d45,
  directory: 0x4b434d44,
} as const;

/**
 * `pad` (one page of zeros) stands before `bytes` and fills what a row may keep inside the b-tree,
 * so the bytes always lie in overflow pages of their own. secure_delete overwrites freed overflow
 * pages; what lies inside the tree it may leave behind, as copies that a rebalance made (measured:
 * 7 of 1222 deleted values in a tree of mixed sizes).
 */
const MIGRATIONS = [
  `CREATE TABLE blobs(
     id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, pad BLOB NOT NULL, bytes BLOB NOT NULL
   ) STRICT`,
  // SQLite has no checksum of its own: a flipped bit of a value would be answered as the value.
  'ALTER TABLE blobs ADD COLUMN checksum INTEGER',
];
const PAGE_BYTES = 4096;
const PUT = `INSERT INTO blobs(key, pad, bytes, checksum) VALUES (?, zeroblob(${PAGE_BYTES}), ?, ?)`;
const SUM_ROWS_MAX = 256;

/** CRC-32 over key and bytes. It finds damage (any flip, any burst up to 32 bits), not forgery. */
const checksumOf = (key: string, bytes: Uint8Array): number => crc32(bytes, crc32(`${key}\n`));

/** @throws FolderLocked · StoreDamaged (also: a file of another role) · StoreUnavailable */
export async function openSqliteBlobStore(options: SqliteBlobStoreOptions): Promise<BlobStore> {
  const { file, role, onLost, onDamaged = () => {} } = options;
  const store = await openStore({
    file,
    applicationId: APPLICATION_ID[role],
    migrations: MIGRATIONS,
    secureDelete: true,
    ...(onLost === undefined ? {} : { onLost }),
  });
  const page = store.get<{ page_size: number }>('PRAGMA page_size');
  if (page?.page_size !== PAGE_BYTES) {
    await store.close();
    throw new StoreDamaged(file, `its pages are not of ${PAGE_BYTES} bytes`);
  }
  try {
    await sumEarlier(store);
  } catch (error) {
    await store.close();
    throw error;
  }
  return new SqliteBlobStore(store, onDamaged);
}

interface BlobRow {
  readonly id: number;
  readonly key: string;
  readonly bytes: SqlValue;
  readonly checksum: SqlValue;
}

/** What an earlier release stored without a checksum gets one, once. */
async function sumEarlier(store: SqliteStore): Promise<void> {
  const sql = `SELECT id, key, bytes FROM blobs WHERE checksum IS NULL LIMIT ${SUM_ROWS_MAX}`;
  for (;;) {
    const rows = store.all<Pick<BlobRow, 'id' | 'key' | 'bytes'>>(sql);
    const [first, ...rest] = rows.map(({ id, key, bytes }): Statement => ({
      sql: 'UPDATE blobs SET checksum = ? WHERE id = ?',
      params: [checksumOf(key, bytes as Uint8Array), id],
      changes: 1,
    }));
    if (first === undefined) return;
    await store.write([first, ...rest]);
  }
}

class SqliteBlobStore implements BlobStore {
  constructor(
    private readonly store: SqliteStore,
    private readonly onDamaged: OnDamaged,
  ) {}

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const sql = `${PUT} ON CONFLICT(key) DO UPDATE
      SET bytes = excluded.bytes, checksum = excluded.checksum`;
    const params = [blobKey(key), bytes, checksumOf(key, bytes)];
    await this.store.write([{ sql, params, changes: 1 }]);
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    const sql = `${PUT} ON CONFLICT(key) DO NOTHING`;
    const params = [blobKey(key), bytes, checksumOf(key, bytes)];
    const [written] = await this.store.write([{ sql, params }]);
    return written!.changes === 1;
  }

  async replace(key: string, expected: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    const sql = 'UPDATE blobs SET bytes = ?, checksum = ? WHERE key = ? AND bytes = ?';
    const params = [bytes, checksumOf(key, bytes), blobKey(key), expected];
    const [written] = await this.store.write([{ sql, params }]);
    return written!.changes === 1;
  }

  /** @throws StoreDamaged naming file and key, when what is stored is not what was put */
  async get(key: string): Promise<Buffer | null> {
    const row = this.#row(blobKey(key));
    if (row === null) return null;
    const { bytes, checksum } = row;
    if (!(bytes instanceof Uint8Array) || checksum !== checksumOf(key, bytes))
      throw this.#damaged(key, 'its checksum does not match');
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #row(key: string): Pick<BlobRow, 'bytes' | 'checksum'> | null {
    const sql = 'SELECT bytes, checksum FROM blobs WHERE key = ?';
    try {
      return this.store.get<BlobRow>(sql, [key]);
    } catch (error) {
      throw error instanceof StoreDamaged ? this.#damaged(key, error.message) : error;
    }
  }
  #damaged(key: string, what: string): StoreDamaged {
    const error = new StoreDamaged(this.store.file, `the blob ${key} is damaged: ${what}.`);
    this.onDamaged(error);
    return error;
  }

  async list(prefix: string): Promise<readonly string[]> {
    const path = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
    const rows =
      path === ''
        ? this.store.all<{ key: string }>('SELECT key FROM blobs ORDER BY key')
        : this.store.all<{ key: string }>(
            'SELECT key FROM blobs WHERE key = ? OR (key >= ? AND key < ?) ORDER BY key',
            [blobKey(path), ...under(path)],
          );
    return rows.map(({ key }) => key);
  }

  async erase(prefix: string): Promise<number> {
    const sql = 'DELETE FROM blobs WHERE key = ? OR (key >= ? AND key < ?)';
    const [written] = await this.store.write([
      { sql, params: [blobKey(prefix), ...under(prefix)] },
    ]);
    // Also when nothing was deleted: an erase that failed here before is repeated until it holds.
    await this.store.truncateLog();
    return written!.changes;
  }

  close(): Promise<void> {
    return this.store.close();
  }
}
