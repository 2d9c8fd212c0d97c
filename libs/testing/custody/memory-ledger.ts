import {
  type LedgerId,
  type NewEvent,
  type OneOrMore,
  type RecordedEvent,
  type StreamId,
} from '@kcm/kernel';
import { type Appended, type Expected, LedgerOutcomeUnknown, LedgerUnavailable } from '@kcm/ledger';
import { InMemoryLedger } from '../in-memory-ledger.js';

/** The ledger in memory with the faults of a real one on demand. */
export class MemoryLedger extends InMemoryLedger {
  readonly appends: { readonly stream: StreamId; readonly count: number }[] = [];
  /** Refuses every append. */
  down = false;
  /** Stores the next append and does not say so. */
  silentOnce = false;
  onStored: (events: readonly RecordedEvent[]) => void = () => {};

  override get id(): LedgerId {
    return 'memory' as LedgerId;
  }

  get events(): readonly RecordedEvent[] {
    return this.log.events;
  }

  override async append(
    stream: StreamId,
    expected: Expected,
    events: OneOrMore<NewEvent>,
  ): Promise<Appended> {
    if (this.down) throw new LedgerUnavailable();
    const before = this.events.length;
    const appended = await super.append(stream, expected, events);
    if (appended.replayed) return appended;
    const stored = this.events.slice(before, before + events.length);
    this.appends.push({ stream, count: stored.length });
    this.onStored(stored);
    if (!this.silentOnce) return appended;
    this.silentOnce = false;
    throw new LedgerOutcomeUnknown();
  }

  /** Names of the events of a stream, in order. */
  types(stream: string): readonly string[] {
    return (this.log.streams.get(stream as StreamId) ?? []).map(({ type }) => type);
  }

  /** What an append to the stream has to expect now. */
  revision(stream: StreamId): Expected {
    const length = this.log.streams.get(stream)?.length ?? 0;
    return length === 0 ? 'noStream' : length - 1;
  }
}
