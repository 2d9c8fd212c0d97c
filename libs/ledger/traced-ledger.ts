import {
  failureOf,
  type NewEvent,
  type OneOrMore,
  parseStream,
  type Position,
  type Revision,
  spansOf,
  type StreamId,
  type Tracer,
} from '@kcm/kernel';
import type { Appended, Expected, FilteredFeed, Ledger, ProvableLedger } from './ledger.js';

type Whole = Ledger & FilteredFeed & ProvableLedger;

/** A ledger whose appends are spans of the traces that their events carry. */
export class TracedLedger implements Whole {
  constructor(
    private readonly ledger: Whole,
    private readonly tracer: Tracer,
  ) {}

  get id() {
    return this.ledger.id;
  }

  async append(
    stream: StreamId,
    expected: Expected,
    events: OneOrMore<NewEvent>,
  ): Promise<Appended> {
    const { category } = parseStream(stream);
    const about = { 'kcm.stream.category': category, 'kcm.events': events.length };
    const spans = spansOf(this.tracer, 'ledger append', events, about);
    try {
      const appended = await this.ledger.append(stream, expected, events);
      const { position, replayed } = appended;
      for (const span of spans) {
        span.set({ 'kcm.position': position, 'kcm.replayed': replayed });
        span.end();
      }
      return appended;
    } catch (error) {
      for (const span of spans) span.end(failureOf(error));
      throw error;
    }
  }

  prove() {
    return this.ledger.prove();
  }
  readStream(stream: StreamId, from: Revision, maxCount: number) {
    return this.ledger.readStream(stream, from, maxCount);
  }
  feed(after: Position | 'start', signal: AbortSignal) {
    return this.ledger.feed(after, signal);
  }
  feedOf(categories: OneOrMore<string>, after: Position | 'start', signal: AbortSignal) {
    return this.ledger.feedOf(categories, after, signal);
  }
  head() {
    return this.ledger.head();
  }
  close() {
    return this.ledger.close();
  }
}
