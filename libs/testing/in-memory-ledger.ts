import {
  type FeedItem,
  KcmError,
  type LedgerId,
  type NewEvent,
  type OneOrMore,
  oneOrMore,
  type Position,
  type RecordedEvent,
  type Revision,
  type StreamId,
  systemRandom,
  uuidv4,
} from '@kcm/kernel';
import {
  type Appended,
  encodeAppend,
  type EncodedEvent,
  type Expected,
  type Ledger,
  LedgerConflict,
  LedgerUnavailable,
  type StreamPage,
} from '@kcm/ledger';

/** What outlives a ledger that is closed and opened again. */
export class InMemoryLog {
  readonly id = uuidv4(systemRandom) as LedgerId;
  readonly events: RecordedEvent[] = [];
  readonly streams = new Map<StreamId, RecordedEvent[]>();
}

const PAGE = 256;
const DIGITS = 16;
const positionAt = (index: number): Position => String(index + 1).padStart(DIGITS, '0') as Position;

/** The ledger port in memory, for specs: passes the ledger contract, durability aside. */
export class InMemoryLedger implements Ledger {
  readonly #sleepers = new Set<() => void>();
  #open = true;

  constructor(readonly log = new InMemoryLog()) {}

  get id(): LedgerId {
    return this.log.id;
  }

  async append(
    stream: StreamId,
    expected: Expected,
    events: OneOrMore<NewEvent>,
  ): Promise<Appended> {
    this.#assertOpen();
    const encoded = encodeAppend(stream, expected, events);
    const stored = this.log.streams.get(stream) ?? [];
    const from = expected === 'noStream' ? 0 : expected + 1;
    const there = stored.slice(from, from + encoded.length);
    if (there.length === encoded.length && there.every(({ id }, at) => id === encoded[at]!.id))
      return appended(there.at(-1)!, true);
    if (stored.length !== from)
      throw new LedgerConflict(stream, expected, stored.length === 0 ? null : stored.length - 1);
    for (const event of encoded) {
      const recorded = this.#recorded(stream, stored.length, event);
      stored.push(recorded);
      this.log.events.push(recorded);
    }
    this.log.streams.set(stream, stored);
    this.#wake();
    return appended(stored.at(-1)!, false);
  }

  async readStream(stream: StreamId, from: Revision, maxCount: number): Promise<StreamPage> {
    this.#assertOpen();
    const stored = this.log.streams.get(stream);
    if (stored === undefined) return { kind: 'noStream' };
    const events = stored.slice(from, from + maxCount);
    const end = from + events.length >= stored.length;
    return { kind: 'page', events, last: stored.length - 1, end };
  }

  async *feed(after: Position | 'start', signal: AbortSignal): AsyncIterable<FeedItem> {
    let next = after === 'start' ? 0 : Number(after);
    if (after !== 'start' && (!/^\d{16}$/.test(after) || next < 1))
      throw new KcmError('invalid_request', 'Not a position of this ledger.');
    if (next > this.log.events.length)
      throw new KcmError('integrity', `The ledger ends before the position ${after}.`);
    let live = false;
    while (!signal.aborted) {
      this.#assertOpen();
      const events = oneOrMore(this.log.events.slice(next, next + PAGE));
      if (events === null) {
        if (live) await this.#sleep(signal);
        else yield { kind: 'caughtUp' };
        live = true;
        continue;
      }
      next += events.length;
      if (live && next < this.log.events.length) {
        live = false;
        yield { kind: 'fellBehind' };
      }
      if (!signal.aborted) yield { kind: 'events', events };
    }
  }

  async head(): Promise<Position | null> {
    this.#assertOpen();
    return this.log.events.at(-1)?.position ?? null;
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#wake();
  }

  #recorded(stream: StreamId, revision: Revision, event: EncodedEvent): RecordedEvent {
    const { id, type, schemaVersion } = event;
    return {
      id: id as RecordedEvent['id'],
      type,
      schemaVersion,
      data: JSON.parse(event.data) as RecordedEvent['data'],
      meta: JSON.parse(event.meta) as RecordedEvent['meta'],
      stream,
      revision,
      position: positionAt(this.log.events.length),
    };
  }

  #assertOpen(): void {
    if (!this.#open) throw new LedgerUnavailable('The ledger is closed.');
  }
  #wake(): void {
    for (const wake of this.#sleepers) wake();
  }
  #sleep(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#sleepers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

const appended = ({ revision, position }: RecordedEvent, replayed: boolean): Appended => ({
  revision,
  position,
  replayed,
});
