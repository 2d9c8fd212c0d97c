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

/** No 'any', no 'exists': every append says what it builds on. */
export type Expected = 'noStream' | Revision;

export interface Appended {
  /** Revision and position of the last event of the append. */
  readonly revision: Revision;
  readonly position: Position;
  readonly replayed: boolean;
}
export type StreamPage =
  | { readonly kind: 'noStream' }
  | {
      readonly kind: 'page';
      readonly events: readonly RecordedEvent[];
      readonly last: Revision;
      readonly end: boolean;
    };
export interface Ledger {
  readonly id: LedgerId;
  /**
   * Atomic in ONE stream, durable when it resolves. Same stream, expected and ids again → the first
   * result, replayed: true.
   * @throws LedgerConflict · LedgerOutcomeUnknown (retry with the SAME expected and ids)
   *  · LedgerUnavailable · LedgerFull · StreamGone (deleted behind our back: alarm, never recreate)
   */
  append(stream: StreamId, expected: Expected, events: OneOrMore<NewEvent>): Promise<Appended>;
  readStream(stream: StreamId, from: Revision, maxCount: number): Promise<StreamPage>;
  /**
   * `after` is EXCLUSIVE. Only our streams, ledger order, durable events only; pull =
   * back-pressure; ends on abort; reconnects after the last item. Live: never ends by itself.
   */
  feed(after: Position | 'start', signal: AbortSignal): AsyncIterable<FeedItem>;
  head(): Promise<Position | null>;
  close(): Promise<void>;
}
/** Optional ability: a rebuild that skips operational categories. */
export interface FilteredFeed {
  feedOf(
    categories: OneOrMore<string>,
    after: Position | 'start',
    signal: AbortSignal,
  ): AsyncIterable<FeedItem>;
}
/** Optional ability: to find out whether appends work again without recording anything. */
export interface ProvableLedger {
  /** Resolves when the store takes writes. @throws LedgerFull · LedgerUnavailable */
  prove(): Promise<void>;
}
export const Ledger = Symbol('Ledger');

/**
 * Injected by the domain: brings an old version of an event up to date. @throws UnknownEventType
 */
export interface EventCatalog {
  upcast(stored: RecordedEvent): RecordedEvent;
}
export const EventCatalog = Symbol('EventCatalog');
export type { FeedItem } from '@kcm/kernel';
