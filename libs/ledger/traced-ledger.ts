import {
  failureOf,
  type NewEvent,
  type OneOrMore,
  parseStream,
  spansOf,
  type StreamId,
  type Tracer,
} from '@kcm/kernel';
import type { Appended, Expected } from './ledger.js';
import { LedgerAround, type WholeLedger } from './ledger-around.js';

/** A ledger whose appends are spans of the traces that their events carry. */
export class TracedLedger extends LedgerAround {
  constructor(
    ledger: WholeLedger,
    private readonly tracer: Tracer,
  ) {
    super(ledger);
  }

  override async append(
    stream: StreamId,
    expected: Expected,
    events: OneOrMore<NewEvent>,
  ): Promise<Appended> {
    const { category } = parseStream(stream);
    const about = { 'kcm.stream.category': category, 'kcm.events': events.length };
    const spans = spansOf(this.tracer, 'ledger append', events, about);
    try {
      const appended = await super.append(stream, expected, events);
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
}
