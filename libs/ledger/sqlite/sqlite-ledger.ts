import {
  KcmError,
  uuidv4,
  type FeedItem,
  type LedgerId,
  type NewEvent,
  type OneOrMore,
  type Position,
  type Random,
  type RecordedEvent,
  type Revision,
  type StreamId,
} from '@kcm/kernel';
import {
  type OnLost,
  openStore,
  StoreFull,
  StoreMoved,
  StoreUnavailable,
  WriteOutcomeUnknown,
  WriteRefused,
  type SqliteStore,
  type Statement,
} from '@kcm/sqlite';
import { crc32 } from 'node:zlib';
import { assertRevision, encodeAppend, type EncodedEvent } from '../append-rules.js';
import {
  LedgerConflict,
  LedgerFull,
  LedgerMoved,
  LedgerOutcomeUnknown,
  LedgerUnavailable,
} from '../errors.js';
import type {
  Appended,
  Expected,
  FilteredFeed,
  Ledger,
  ProvableLedger,
  StreamPage,
} from '../ledger.js';
import { categoryFilter, feedOf } from './feed.js';
import { positionOf, rowOf } from './position.js';
import { checksumOf, COLUMNS, decodeRow, type EventRow } from './rows.js';
import { Wake } from '../wake.js';

export interface SqliteLedgerOptions {
  /** Path of the ledger's file; its folder is locked for this process while the ledger is open. */
  readonly file: string;
  readonly random: Random;
  /** Told of each transaction: how many appends it held, how long it took. Must not throw. */
  readonly onCommit?: (appends: number, ms: number) => void;
  /** A sync failed: the process must end, and not close the ledger. Must not throw. */
  readonly onLost?: OnLost;
}

/** 'KCML' */
const APPLICATION_ID = 0x4b434d4c;
const MIGRATIONS = [
  `CREATE TABLE ledger(id TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
   CREATE TABLE events(
     position INTEGER PRIMARY KEY,
     stream TEXT NOT NULL,
     revision INTEGER NOT NULL,
     id TEXT NOT NULL,
     type TEXT NOT NULL,
     schema_version INTEGER NOT NULL,
     data TEXT NOT NULL,
     meta TEXT NOT NULL,
     checksum INTEGER NOT NULL,
     UNIQUE (stream, revision)
   ) STRICT;`,
];
const INTO = 'INSERT INTO events(stream, revision, id, type, schema_version, data, meta, checksum)';
const INSERT = `${INTO} VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
/** Behind an event that must be there; UNIQUE sees to it that it is the last one. */
const INSERT_AFTER = `${INTO} SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
  WHERE EXISTS (SELECT 1 FROM events WHERE stream = ?1 AND revision = ?2 - 1)`;
const LAST = 'SELECT max(revision) AS last FROM events WHERE stream = ?';
const HEAD = 'SELECT max(position) AS head FROM events';
const STREAM = `SELECT ${COLUMNS} FROM events
  WHERE stream = ? AND revision BETWEEN ? AND ? ORDER BY revision`;

/** Characters of data and meta in one page of a stream; more comes with the next page. */
const PAGE_CHARS_MAX = 4 * 1024 * 1024;

/** @throws FolderLocked · KcmError integrity · LedgerUnavailable · LedgerFull */
export async function openSqliteLedger(
  options: SqliteLedgerOptions,
): Promise<Ledger & FilteredFeed & ProvableLedger> {
  try {
    const { file, random, onCommit, onLost } = options;
    const store = await openStore({
      file,
      applicationId: APPLICATION_ID,
      migrations: MIGRATIONS,
      ...(onCommit === undefined ? {} : { onCommit }),
      ...(onLost === undefined ? {} : { onLost }),
    });
    try {
      return new SqliteLedger(await ledgerId(store, random), store);
    } catch (error) {
      await store.close();
      throw error;
    }
  } catch (error) {
    throw translated(error);
  }
}

async function ledgerId(store: SqliteStore, random: Random): Promise<LedgerId> {
  const known = store.all<{ id: string; checksum: number }>('SELECT id, checksum FROM ledger');
  if (known.length > 1) throw new KcmError('integrity', `${store.file} has two ledger ids.`);
  if (known[0] !== undefined) {
    if (crc32(known[0].id) !== known[0].checksum)
      throw new KcmError('integrity', `The ledger id of ${store.file} is damaged.`);
    return known[0].id as LedgerId;
  }
  const id = uuidv4(random) as LedgerId;
  const sql = 'INSERT INTO ledger(id, checksum) VALUES (?, ?)';
  await store.write([{ sql, params: [id, crc32(id)] }]);
  return id;
}

function translated(error: unknown): unknown {
  if (error instanceof StoreFull) return new LedgerFull(error);
  if (error instanceof WriteOutcomeUnknown) return new LedgerOutcomeUnknown(error);
  if (error instanceof StoreMoved) return new LedgerMoved(error);
  if (error instanceof StoreUnavailable) return new LedgerUnavailable(error.message, error);
  return error;
}

const insertion = (
  stream: StreamId,
  revision: Revision,
  event: EncodedEvent,
  first: boolean,
): Statement => ({
  sql: first && revision > 0 ? INSERT_AFTER : INSERT,
  params: [
    stream,
    revision,
    event.id,
    event.type,
    event.schemaVersion,
    event.data,
    event.meta,
    checksumOf(stream, revision, event),
  ],
  changes: 1,
});

class SqliteLedger implements Ledger, FilteredFeed, ProvableLedger {
  readonly #wake = new Wake();

  constructor(
    readonly id: LedgerId,
    readonly store: SqliteStore,
  ) {}

  async append(
    stream: StreamId,
    expected: Expected,
    events: OneOrMore<NewEvent>,
  ): Promise<Appended> {
    const encoded = encodeAppend(stream, expected, events);
    const from = expected === 'noStream' ? 0 : expected + 1;
    const statements = encoded.map((event, index) =>
      insertion(stream, from + index, event, index === 0),
    );
    try {
      const written = await this.store.write(statements as [Statement, ...Statement[]]);
      this.#wake.raise();
      const position = positionOf(written.at(-1)!.rowid);
      return { revision: from + encoded.length - 1, position, replayed: false };
    } catch (error) {
      if (error instanceof WriteRefused) return this.#replay(stream, expected, encoded);
      throw translated(error);
    }
  }

  /** Refused: stored already by an earlier call of the same append, or a conflict. */
  #replay(stream: StreamId, expected: Expected, events: readonly EncodedEvent[]): Appended {
    const from = expected === 'noStream' ? 0 : expected + 1;
    const last = from + events.length - 1;
    const rows = this.#read(() => this.store.all<EventRow>(STREAM, [stream, from, last]));
    const same =
      rows.length === events.length && rows.every((row, index) => row.id === events[index]!.id);
    if (!same) throw new LedgerConflict(stream, expected, this.#last(stream));
    const stored = rows.map(decodeRow);
    return { revision: last, position: stored.at(-1)!.position, replayed: true };
  }

  async readStream(stream: StreamId, from: Revision, maxCount: number): Promise<StreamPage> {
    assertRevision(from);
    if (!Number.isSafeInteger(maxCount) || maxCount < 1)
      throw new KcmError('internal', `Not a number of events to read: ${maxCount}`);
    return this.#read(() => {
      const last = this.#last(stream);
      if (last === null) return { kind: 'noStream' };
      const events: RecordedEvent[] = [];
      const until = Math.min(last, from + maxCount - 1);
      let chars = 0;
      for (const row of this.store.each<EventRow>(STREAM, [stream, from, until])) {
        if (chars >= PAGE_CHARS_MAX) break;
        if (row.revision !== from + events.length) break;
        chars += row.data.length + row.meta.length;
        events.push(decodeRow(row));
      }
      const next = from + events.length;
      if (next <= until && chars < PAGE_CHARS_MAX)
        throw new KcmError('integrity', `The event ${next} of ${stream} is missing.`);
      return { kind: 'page', events, last, end: next > last };
    });
  }

  async *feed(after: Position | 'start', signal: AbortSignal): AsyncIterable<FeedItem> {
    yield* this.#feed(after, null, signal);
  }
  async *feedOf(
    categories: OneOrMore<string>,
    after: Position | 'start',
    signal: AbortSignal,
  ): AsyncIterable<FeedItem> {
    yield* this.#feed(after, categoryFilter(categories), signal);
  }
  async *#feed(
    after: Position | 'start',
    categories: string | null,
    signal: AbortSignal,
  ): AsyncIterable<FeedItem> {
    try {
      const cursor = after === 'start' ? 0 : rowOf(after);
      if (cursor > this.#head())
        throw new KcmError('integrity', `The ledger ends before the position ${after}.`);
      yield* feedOf(this.store, this.#wake, cursor, categories, signal);
    } catch (error) {
      throw translated(error);
    }
  }

  /** After a failure of the disk the writer opens anew and writes a page before anything else. */
  async prove(): Promise<void> {
    try {
      await this.store.truncateLog();
    } catch (error) {
      throw translated(error);
    }
  }

  async head(): Promise<Position | null> {
    const head = this.#read(() => this.#head());
    return head === 0 ? null : positionOf(head);
  }
  async close(): Promise<void> {
    await this.store.close();
    // Feeds that sleep find the store closed and end with LedgerUnavailable.
    this.#wake.raise();
  }

  #head(): number {
    return this.store.get<{ head: number | null }>(HEAD)?.head ?? 0;
  }
  #last(stream: StreamId): Revision | null {
    return this.store.get<{ last: number | null }>(LAST, [stream])?.last ?? null;
  }
  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw translated(error);
    }
  }
}
