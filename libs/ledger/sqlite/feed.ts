import {
  CATEGORIES,
  KcmError,
  oneOrMore,
  type Category,
  type FeedItem,
  type RecordedEvent,
} from '@kcm/kernel';
import type { SqliteStore } from '@kcm/sqlite';
import { positionOf } from './position.js';
import { COLUMNS, decodeRow, type EventRow } from './rows.js';
import type { Wake } from '../wake.js';

/** Bounds of one page: what a feed holds in memory for a slow consumer. */
const EVENTS_MAX = 256;
/** Of the first page of a feed: whoever wants to see the next event only pays for no more. */
const FIRST_EVENTS_MAX = 1;
const CHARS_MAX = 1024 * 1024;
/** Rows read in one call: much cheaper than one by one, and as many wasted where a page ends. */
const ROWS_MAX = 64;
/** Rows looked at for one page of a filtered feed. */
const SCANNED_MAX = 4096;

const ALL = `SELECT ${COLUMNS} FROM events WHERE position > ? ORDER BY position LIMIT ?`;
/** Rows of other categories come as nulls but their position: seen, not read. */
const SOME = `SELECT e.position, wanted, ${COLUMNS.split(', ')
  .slice(1)
  .map((column) => `iif(wanted, e.${column}, NULL) AS ${column}`)
  .join(', ')} FROM (
    SELECT *, substr(stream, 1, instr(stream, '-') - 1) IN (SELECT value FROM json_each(?2)) AS wanted
    FROM events WHERE position > ?1
  ) AS e ORDER BY e.position`;

interface Page {
  readonly events: readonly RecordedEvent[];
  /** Row of the last event looked at; as before the page where there was none. */
  readonly cursor: number;
  /** More is there already. */
  readonly full: boolean;
}

/** Rows behind `after`, without end as long as there are any. */
function* rowsOf(
  store: SqliteStore,
  after: number,
  categories: string | null,
  most: number,
): Generator<EventRow & { wanted?: number }, void, undefined> {
  if (categories !== null) {
    yield* store.each<EventRow & { wanted: number }>(SOME, [after, categories]);
    return;
  }
  for (let rows: EventRow[] = [], from = after; ; from = rows.at(-1)!.position) {
    rows = store.all<EventRow>(ALL, [from, most]);
    yield* rows;
    if (rows.length < most) return;
  }
}

function readPage(
  store: SqliteStore,
  after: number,
  categories: string | null,
  eventsMax: number,
): Page {
  const events: RecordedEvent[] = [];
  let cursor = after;
  let chars = 0;
  for (const row of rowsOf(store, after, categories, Math.min(ROWS_MAX, eventsMax + 1))) {
    if (row.position !== cursor + 1)
      throw new KcmError('integrity', `The ledger has no event at ${cursor + 1}.`);
    if (events.length >= eventsMax || chars >= CHARS_MAX || row.position - after > SCANNED_MAX)
      return { events, cursor, full: true };
    cursor = row.position;
    if (row.wanted === 0) continue;
    chars += row.data.length + row.meta.length;
    events.push(decodeRow(row));
  }
  return { events, cursor, full: false };
}

/** @throws KcmError invalid_request on a category that no stream has */
export function categoryFilter(categories: readonly string[]): string {
  for (const category of categories)
    if (!CATEGORIES.includes(category as Category))
      throw new KcmError('invalid_request', `No stream has the category ${category}.`);
  return JSON.stringify(categories);
}

/**
 * History, then live. There is no seam to get wrong: each turn reads the next page behind the
 * cursor, and reading and falling asleep happen in one turn of the event loop, so that a commit
 * either was seen or wakes the sleeper.
 */
export async function* feedOf(
  store: SqliteStore,
  wake: Wake,
  after: number,
  categories: string | null,
  signal: AbortSignal,
): AsyncGenerator<FeedItem, void, undefined> {
  let cursor = after;
  let caughtUp = false;
  let eventsMax = FIRST_EVENTS_MAX;
  while (!signal.aborted) {
    const page = readPage(store, cursor, categories, eventsMax);
    eventsMax = EVENTS_MAX;
    if (page.cursor === cursor) {
      if (caughtUp) {
        await wake.next(signal);
      } else {
        caughtUp = true;
        yield { kind: 'caughtUp' };
      }
      continue;
    }
    cursor = page.cursor;
    if (caughtUp && page.full) {
      caughtUp = false;
      yield { kind: 'fellBehind' };
    }
    const events = oneOrMore(page.events);
    const last = positionOf(cursor);
    if (signal.aborted) return;
    if (events !== null) yield { kind: 'events', events };
    if (events?.at(-1)?.position !== last) yield { kind: 'passed', position: last };
  }
}
