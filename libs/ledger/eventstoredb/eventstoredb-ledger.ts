import {
  CATEGORIES,
  KcmError,
  LIMITS,
  systemScheduler,
  uuidv4,
  type Category,
  type FeedItem,
  type LedgerId,
  type NewEvent,
  type OneOrMore,
  type Position,
  type Random,
  type RecordedEvent,
  type Revision,
  type Scheduler,
  type StreamId,
} from '@kcm/kernel';
import { assertRevision, encodeAppend } from '../append-rules.js';
import { LedgerUnavailable } from '../errors.js';
import type {
  Appended,
  Expected,
  FilteredFeed,
  Ledger,
  ProvableLedger,
  StreamPage,
} from '../ledger.js';
import { Appender } from './appender.js';
import { assertKept, audit } from './audit.js';
import { Bell } from './bell.js';
import { Connection } from './connection.js';
import { passes, translated, translatedAtOpening } from './failures.js';
import { feedOf } from './feed.js';
import { ledgerId, writeLedgerId } from './ledger-id.js';
import { persevere } from './persevere.js';
import { logPositionOf, positionOf } from './position.js';
import { type Link, Server } from './server.js';
import { charsOf, fromWire, isLink, Names } from './wire.js';

export interface EventStoreLedgerOptions {
  /** `esdb://…` or `esdb+discover://…`; credentials in it are never told. */
  readonly url: string;
  readonly random: Random;
  /** Before each stream's name: several ledgers and others' streams share a server. */
  readonly namespace?: string;
  readonly scheduler?: Scheduler;
  readonly callMsMax?: number;
}

/** Characters of data and meta in one page of a stream; more comes with the next page. */
const PAGE_CHARS_MAX = 4 * 1024 * 1024;
const PAGE_EVENTS_MAX = 1_000;

/** @throws KcmError invalid_request · KcmError integrity · LedgerUnavailable · LedgerRefused */
export async function openEventStoreLedger(
  options: EventStoreLedgerOptions,
): Promise<Ledger & FilteredFeed & ProvableLedger> {
  const { url, random, scheduler = systemScheduler } = options;
  const names = new Names(options.namespace ?? 'kcm');
  const closing = new AbortController();
  const link = {
    scheduler,
    callMsMax: options.callMsMax ?? LIMITS.ledgerCallMsMax,
    closed: closing.signal,
  };
  const connection = new Connection(url);
  const server = new Server(connection.client, link);
  try {
    await connection.assertRecent(link);
    const streams = await audit(server, names);
    const id = await ledgerId(server, names, random, streams);
    return new EventStoreLedger(id, connection, server, names, random, link, closing);
  } catch (error) {
    closing.abort();
    await connection.close();
    throw translatedAtOpening(error);
  }
}

class EventStoreLedger implements Ledger, FilteredFeed, ProvableLedger {
  readonly #bell: Bell;
  readonly #appender: Appender;

  constructor(
    readonly id: LedgerId,
    private readonly connection: Connection,
    private readonly server: Server,
    private readonly names: Names,
    random: Random,
    private readonly link: Link,
    private readonly closing: AbortController,
  ) {
    this.#bell = new Bell(server.client, link.scheduler);
    this.#appender = new Appender(server, names, () => uuidv4(random), link);
  }

  async append(
    stream: StreamId,
    expected: Expected,
    events: OneOrMore<NewEvent>,
  ): Promise<Appended> {
    this.#assertOpen();
    const encoded = encodeAppend(stream, expected, events);
    const appended = await this.#asPort(
      () => this.#appender.append(stream, expected, encoded),
      stream,
    );
    this.#bell.ring();
    return appended;
  }

  readStream(stream: StreamId, from: Revision, maxCount: number): Promise<StreamPage> {
    assertRevision(from);
    if (!Number.isSafeInteger(maxCount) || maxCount < 1)
      throw new KcmError('internal', `Not a number of events to read: ${maxCount}`);
    const read = () => this.#readStream(stream, from, maxCount);
    return this.#asPort(() => persevere(this.link, read), stream);
  }
  async #readStream(stream: StreamId, from: Revision, maxCount: number): Promise<StreamPage> {
    const name = this.names.at(stream);
    const most = Math.min(maxCount, PAGE_EVENTS_MAX);
    const events: RecordedEvent[] = [];
    let chars = 0;
    const found = await this.server.stream(name, from, most, (record) => {
      if (Number(record.revision) !== from + events.length)
        throw new KcmError(
          'integrity',
          `The event ${from + events.length} of ${stream} is missing.`,
        );
      const event = fromWire(stream, record);
      events.push(event);
      chars += charsOf(event);
      return chars >= PAGE_CHARS_MAX;
    });
    const next = from + events.length;
    // Fewer than asked for, and some: the last of them is the last there is.
    const ended = events.length > 0 && events.length < most && chars < PAGE_CHARS_MAX;
    const last = ended ? next - 1 : found === null ? null : await this.#appender.last(stream);
    if (last === null) {
      await assertKept(this.server, name);
      return { kind: 'noStream' };
    }
    return { kind: 'page', events, last, end: next > last };
  }

  async *feed(after: Position | 'start', signal: AbortSignal): AsyncIterable<FeedItem> {
    yield* this.#feed(after, null, signal);
  }
  async *feedOf(
    categories: OneOrMore<string>,
    after: Position | 'start',
    signal: AbortSignal,
  ): AsyncIterable<FeedItem> {
    for (const category of categories)
      if (!CATEGORIES.includes(category as Category))
        throw new KcmError('invalid_request', `No stream has the category ${category}.`);
    yield* this.#feed(after, new Set(categories), signal);
  }
  async *#feed(
    after: Position | 'start',
    wanted: ReadonlySet<string> | null,
    ended: AbortSignal,
  ): AsyncIterable<FeedItem> {
    this.#assertOpen();
    if (after !== 'start') logPositionOf(after);
    this.#bell.start();
    const signal = AbortSignal.any([ended, this.closing.signal]);
    const persist = <T>(work: () => Promise<T>) => this.#persist(work, signal);
    const { server, names } = this;
    try {
      await persist(() => this.#assertReached(after, signal));
      yield* feedOf({ server, names, bell: this.#bell, persist }, after, wanted, signal);
    } catch (error) {
      throw translated(error);
    }
    if (!ended.aborted) this.#assertOpen();
  }
  async #assertReached(after: Position | 'start', signal: AbortSignal): Promise<void> {
    if (after === 'start') return;
    for await (const { position } of this.server.all('end', 'backwards', signal, 1))
      if (positionOf(position!) >= after) return;
    throw new KcmError('integrity', `The ledger ends before the position ${after}.`);
  }
  async #persist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | null> {
    while (!signal.aborted) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted) return null;
        if (!passes(error)) throw error;
        await new Promise<void>((resolve) => {
          this.link.scheduler.after(LIMITS.retryMsMin, resolve);
        });
      }
    }
    return null;
  }

  head(): Promise<Position | null> {
    return this.#asPort(() => persevere(this.link, () => this.#head()));
  }
  async #head(): Promise<Position | null> {
    for await (const record of this.server.all('end', 'backwards')) {
      if (record.streamId === this.names.id) return null;
      if (!isLink(record) && this.names.ours(record.streamId) !== null)
        return positionOf(record.position!);
    }
    throw new KcmError('integrity', 'The id of the ledger is gone.');
  }

  /** The id is written again: known already, it goes the way of an append and is stored once. */
  prove(): Promise<void> {
    return this.#asPort(() => writeLedgerId(this.server, this.names, this.id, this.link.callMsMax));
  }

  async close(): Promise<void> {
    if (this.closing.signal.aborted) return;
    this.closing.abort();
    this.#bell.close();
    await this.connection.close();
  }

  async #asPort<T>(work: () => Promise<T>, stream: StreamId | null = null): Promise<T> {
    this.#assertOpen();
    try {
      return await work();
    } catch (error) {
      throw translated(error, stream);
    }
  }
  #assertOpen(): void {
    if (this.closing.signal.aborted) throw new LedgerUnavailable('The ledger is closed.');
  }
}
