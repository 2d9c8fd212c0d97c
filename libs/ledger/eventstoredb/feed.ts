import { oneOrMore, type FeedItem, type Position, type RecordedEvent } from '@kcm/kernel';
import { StreamGone } from '../errors.js';
import { assertKept } from './audit.js';
import type { Bell } from './bell.js';
import { logPositionOf, positionOf } from './position.js';
import type { Server } from './server.js';
import { charsOf, fromWire, isLink, isTombstone, type Names } from './wire.js';

/** Bounds of one page: what a feed holds in memory for a slow consumer. */
const RECORDS_MAX = 256;
const CHARS_MAX = 1024 * 1024;

export interface Source {
  readonly server: Server;
  readonly names: Names;
  readonly bell: Bell;
  /** Again until it succeeds, or null at the abort. @throws what does not pass */
  readonly persist: <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T | null>;
}
interface Page {
  readonly events: readonly RecordedEvent[];
  /** Of the last record looked at, whoever's. */
  readonly cursor: Position | 'start';
  /** Of the last event of ours, wanted or not. */
  readonly mark: Position | null;
  /** More may be there already. */
  readonly full: boolean;
}

/** The next records behind the cursor: a read begins with the record AT its position. */
async function readPage(
  { server, names }: Source,
  after: Position | 'start',
  wanted: ReadonlySet<string> | null,
  signal: AbortSignal,
): Promise<Page> {
  const events: RecordedEvent[] = [];
  const from = after === 'start' ? ('start' as const) : logPositionOf(after);
  let cursor = after;
  let mark: Position | null = null;
  let chars = 0;
  let seen = 0;
  for await (const record of server.all(from, 'forwards', signal, RECORDS_MAX + 1)) {
    seen += 1;
    const at = positionOf(record.position!);
    if (cursor !== 'start' && at <= cursor) continue;
    cursor = at;
    const about = names.settingsOf(record.streamId);
    if (about !== null) await assertKept(server, about);
    const stream = isLink(record) ? null : names.ours(record.streamId);
    if (stream === null) continue;
    if (isTombstone(record)) throw new StreamGone(stream);
    mark = at;
    if (wanted !== null && !wanted.has(stream.slice(0, stream.indexOf('-')))) continue;
    const event = fromWire(stream, record);
    events.push(event);
    chars += charsOf(event);
    if (chars >= CHARS_MAX) return { events, cursor, mark, full: true };
  }
  return { events, cursor, mark, full: seen > RECORDS_MAX };
}

/**
 * History, then live, without a seam: each turn reads the next page behind the cursor, and a bell
 * that rang since the read began is a reason to read again rather than to sleep.
 */
export async function* feedOf(
  source: Source,
  after: Position | 'start',
  wanted: ReadonlySet<string> | null,
  signal: AbortSignal,
): AsyncGenerator<FeedItem, void, undefined> {
  const { bell, persist } = source;
  let cursor = after;
  let caughtUp = false;
  while (!signal.aborted) {
    const heard = bell.rung;
    const page = await persist(() => readPage(source, cursor, wanted, signal), signal);
    if (page === null) return;
    if (page.cursor === cursor) {
      if (!caughtUp) yield { kind: 'caughtUp' };
      else if (bell.rung === heard) await bell.next(signal);
      caughtUp = true;
      continue;
    }
    cursor = page.cursor;
    if (caughtUp && page.full) {
      caughtUp = false;
      yield { kind: 'fellBehind' };
    }
    if (signal.aborted) return;
    const events = oneOrMore(page.events);
    if (events !== null) yield { kind: 'events', events };
    // Others' records are told of where they fill a page: else each of theirs would cost a write.
    const passed = page.full ? page.cursor : page.mark;
    if (passed === null || passed === 'start' || passed === events?.at(-1)?.position) continue;
    if (!signal.aborted) yield { kind: 'passed', position: passed };
  }
}
