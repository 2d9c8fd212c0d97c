import type { NewEvent, OneOrMore, Position, Revision, StreamId } from '@kcm/kernel';
import type { Appended, Expected, FilteredFeed, Ledger, ProvableLedger } from './ledger.js';

/** A ledger with all its optional abilities. */
export type WholeLedger = Ledger & FilteredFeed & ProvableLedger;

/** A ledger that does what the one below does; a subclass says where it does more. */
export abstract class LedgerAround implements WholeLedger {
  constructor(protected readonly ledger: WholeLedger) {}

  get id() {
    return this.ledger.id;
  }
  append(stream: StreamId, expected: Expected, events: OneOrMore<NewEvent>): Promise<Appended> {
    return this.ledger.append(stream, expected, events);
  }
  prove(): Promise<void> {
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
