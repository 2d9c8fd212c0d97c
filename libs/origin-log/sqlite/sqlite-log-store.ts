import { type EventId, KcmError } from '@kcm/kernel';
import type { LogEntry, LogNode, LogState, LogStep, LogStore } from '@kcm/origin-log';
import { type OnLost, openStore, type SqliteStore, type Statement } from '@kcm/sqlite';

const APPLICATION_ID = 0x4b434d4f;
const MIGRATIONS = [
  `CREATE TABLE log(
     id INTEGER PRIMARY KEY CHECK (id = 1), region TEXT NOT NULL, ledger TEXT NOT NULL,
     position TEXT NOT NULL, size INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE entries(seq INTEGER PRIMARY KEY, event TEXT NOT NULL, tenant TEXT) STRICT;
   CREATE INDEX entries_event ON entries(event);
   CREATE TABLE nodes(
     level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL CHECK (length(hash) = 32),
     PRIMARY KEY (level, place)
   ) STRICT, WITHOUT ROWID`,
];

/** @throws FolderLocked · StoreDamaged · StoreUnavailable */
export async function openSqliteLogStore(options: {
  /** Path of the database file; its folder is locked for this process while it is open. */
  readonly file: string;
  /** A sync failed: the process must end, and not close the store. Must not throw. */
  readonly onLost?: OnLost;
}): Promise<LogStore> {
  const { file, onLost } = options;
  const store = await openStore({
    file,
    applicationId: APPLICATION_ID,
    migrations: MIGRATIONS,
    ...(onLost === undefined ? {} : { onLost }),
  });
  return new SqliteLogStore(store);
}

/** The log of one region in one SQLite file of its own. */
class SqliteLogStore implements LogStore {
  constructor(private readonly store: SqliteStore) {}

  async state(): Promise<LogState | null> {
    return this.store.get<LogState & Row>('SELECT region, ledger, position, size FROM log');
  }

  async append(before: LogState | null, { entries, nodes, state }: LogStep): Promise<void> {
    await this.store.write([
      moving(before, state),
      ...entries.map(({ seq, event, tenant }) => ({
        sql: 'INSERT INTO entries(seq, event, tenant) VALUES (?, ?, ?)',
        params: [seq, event, tenant],
      })),
      ...nodes.map(({ level, index, hash }) => ({
        sql: 'INSERT INTO nodes(level, place, hash) VALUES (?, ?, ?)',
        params: [level, index, hash],
      })),
    ]);
  }

  async hashes(nodes: readonly LogNode[]): Promise<readonly Buffer[]> {
    const sql = 'SELECT hash FROM nodes WHERE level = ? AND place = ?';
    return nodes.map(({ level, index }) => {
      const row = this.store.get<{ hash: Uint8Array }>(sql, [level, index]);
      if (row !== null) return Buffer.from(row.hash);
      throw new KcmError('integrity', `The log lacks the hash of node ${level}/${index}.`);
    });
  }

  async find(event: EventId): Promise<LogEntry | null> {
    const sql = 'SELECT seq, event, tenant FROM entries WHERE event = ? ORDER BY seq LIMIT 1';
    return this.store.get<LogEntry & Row>(sql, [event]);
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

type Row = Readonly<Record<string, string | number | null>>;

/** One row of the file says how far it is built: whoever started from another place is refused. */
function moving(before: LogState | null, { region, ledger, position, size }: LogState): Statement {
  if (before === null)
    return {
      sql: 'INSERT INTO log(id, region, ledger, position, size) VALUES (1, ?, ?, ?, ?)',
      params: [region, ledger, position, size],
    };
  return {
    sql: `UPDATE log SET position = ?, size = ?
          WHERE region = ? AND ledger = ? AND position = ? AND size = ?`,
    params: [position, size, region, ledger, before.position, before.size],
    changes: 1,
  };
}
