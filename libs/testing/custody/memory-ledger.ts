import type {
  FeedItem,
  LedgerId,
  NewEvent,
  OneOrMore,
  Position,
  RecordedEvent,
  Revision,
  StreamId,
} from '@kcm/kernel';
import {
  type Appended,
  type Expected,
  type Ledger,
  LedgerConflict,
  LedgerOutcomeUnknown,
  LedgerUnavailable,
  type StreamPage,
} from '@kcm/ledger';

const positionOf = (at: number): Position => String(at).padStart(16, '0') as Position;

/** A ledger in memory, with the faults of a real one on demand. It has no live feed. */
export class MemoryLedger implements Ledger {
  readonly id = 'memory' as LedgerId;
  readonly events: RecordedEvent[] = [];
  readonly appends: { readonly stream: StreamId; readonly count: number }[] = [];
  /** Refuses every append. */
  down = false;
  /** Stores the next append and does not say so. */
  silentOnce = false;
  onStored: (events: readonly RecordedEvent[]) => void = () => {};
  readonly #streams = new Map<StreamId, RecordedEvent[]>();

  async append(
    stream: StreamId,
    expected: Expected,
    events: OneOrMore<NewEvent>,
  ): Promise<Appended> {
    await Promise.resolve();
    if (this.down) throw new LedgerUnavailable();
    const stored = this.#streams.get(stream) ?? [];
    const from = expected === 'noStream' ? 0 : expected + 1;
    const there = stored.slice(from, from + events.length);
    if (there.length === events.length && there.every((event, at) => event.id === events[at]!.id))
      return this.#appended(there.at(-1)!, true);
    if (stored.length !== from)
      throw new LedgerConflict(stream, expected, stored.length === 0 ? null : stored.length - 1);
    const recorded = events.map((event, at) => ({
      ...structuredClone(event),
      stream,
      revision: from + at,
      position: positionOf(this.events.length + at + 1),
    }));
    this.#streams.set(stream, [...stored, ...recorded]);
    this.events.push(...recorded);
    this.appends.push({ stream, count: recorded.length });
    this.onStored(recorded);
    if (this.silentOnce) {
      this.silentOnce = false;
      throw new LedgerOutcomeUnknown();
    }
    return this.#appended(recorded.at(-1)!, false);
  }

  async readStream(stream: StreamId, from: Revision, maxCount: number): Promise<StreamPage> {
    const stored = this.#streams.get(stream);
    if (stored === undefined) return { kind: 'noStream' };
    const events = stored.slice(from, from + maxCount);
    const end = from + events.length >= stored.length;
    return { kind: 'page', events, last: stored.length - 1, end };
  }

  feed(): AsyncIterable<FeedItem> {
    throw new Error('the ledger in memory has no feed');
  }

  async head(): Promise<Position | null> {
    return this.events.at(-1)?.position ?? null;
  }

  async close(): Promise<void> {}

  /** Names of the events of a stream, in order. */
  types(stream: string): readonly string[] {
    return (this.#streams.get(stream as StreamId) ?? []).map(({ type }) => type);
  }

  revision(stream: StreamId): Expected {
    const length = this.#streams.get(stream)?.length ?? 0;
    return length === 0 ? 'noStream' : length - 1;
  }

  #appended({ revision, position }: RecordedEvent, replayed: boolean): Appended {
    return { revision, position, replayed };
  }
}
