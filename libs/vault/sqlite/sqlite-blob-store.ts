import { type OnLost, openStore, StoreDamaged, type SqliteStore } from '@kcm/sqlite';
import { type BlobStore, blobKey, under } from '@kcm/vault';

export interface SqliteBlobStoreOptions {
  /** Path of the database file; its folder is locked for this process while it is open. */
  readonly file: string;
  /** What the file is for; a file of another role is refused. */
  readonly role: 'vault' | 'erasure' | 'directory';
  /** A sync failed: the process must end, and not close the store. Must not throw. */
  readonly onLost?: OnLost;
}
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
];
const PAGE_BYTES = 4096;
const PUT = `INSERT INTO blobs(key, pad, bytes) VALUES (?, zeroblob(${PAGE_BYTES}), ?)`;

/** @throws FolderLocked · StoreDamaged (also: a file of another role) · StoreUnavailable */
export async function openSqliteBlobStore(options: SqliteBlobStoreOptions): Promise<BlobStore> {
  const { file, role, onLost } = options;
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
  return new SqliteBlobStore(store);
}

class SqliteBlobStore implements BlobStore {
  constructor(private readonly store: SqliteStore) {}

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const sql = `${PUT} ON CONFLICT(key) DO UPDATE SET bytes = excluded.bytes`;
    await this.store.write([{ sql, params: [blobKey(key), bytes], changes: 1 }]);
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    const sql = `${PUT} ON CONFLICT(key) DO NOTHING`;
    const [written] = await this.store.write([{ sql, params: [blobKey(key), bytes] }]);
    return written!.changes === 1;
  }

  async get(key: string): Promise<Buffer | null> {
    const sql = 'SELECT bytes FROM blobs WHERE key = ?';
    const row = this.store.get<{ bytes: Uint8Array }>(sql, [blobKey(key)]);
    if (row === null) return null;
    return Buffer.from(row.bytes.buffer, row.bytes.byteOffset, row.bytes.byteLength);
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
