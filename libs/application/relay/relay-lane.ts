import {
  KcmError,
  type LedgerId,
  type OneOrMore,
  type Position,
  type RecordedEvent,
} from '@kcm/kernel';
import type { EventCatalog, Ledger } from '@kcm/ledger';
import {
  type Message,
  MessagingRefused,
  MessagingUnavailable,
  type Publisher,
  TopicUnknown,
} from '@kcm/messaging';
import type { DocKey, ReadModelWriter } from '@kcm/read-models';
import {
  type FeedConsumer,
  FeedLoop,
  type FeedLoopDeps,
  type FeedState,
} from '../folds/feed-loop.js';
import { CLOUD_EVENT, cloudEventOf, toldOf } from './cloud-event.js';
import type { RelayedTopic } from './topics.js';

export interface LaneDeps extends FeedLoopDeps {
  readonly region: string;
  readonly catalog: EventCatalog;
  readonly publisher: Publisher;
  /** Where each lane keeps how far it is. */
  readonly checkpoints: ReadModelWriter;
}
export interface LaneHealth {
  readonly name: string;
  readonly state: FeedState;
  /** Everything up to here was taken by the broker. */
  readonly position: Position | null;
  /** Why it waits or failed. */
  readonly detail: string | null;
}
/**
 * How far a lane is, as one document: a count that was written without its position, or the other
 * way round, would number events wrongly.
 */
interface Sent {
  readonly ledger: LedgerId;
  /** Events of the region's own up to the position of the document. */
  readonly seq: number;
}
const VERSION = 1;
const KEY = 'sent' as DocKey;

/**
 * Publishes what a feed of the ledger yields to one topic, in ledger order, at least once: how far
 * it is moves when the broker has acknowledged, so a kill in between publishes again. What the
 * broker refuses for now, and a topic that nobody has made yet, are tried again.
 */
export class RelayLane implements FeedConsumer {
  readonly #loop: FeedLoop;
  #position: Position | null = null;
  #seq = 0;

  /** `numbered`: its feed is the whole ledger, and each event of the region says its number. */
  constructor(
    private readonly deps: LaneDeps,
    readonly name: string,
    private readonly topic: RelayedTopic,
    feed: Ledger['feed'],
    private readonly numbered: boolean,
  ) {
    this.#loop = new FeedLoop({ ...deps, ledger: { feed } }, this);
  }

  start(): void {
    this.#loop.start();
  }
  stop(): Promise<void> {
    return this.#loop.stop();
  }
  health(): LaneHealth {
    const { error, state } = this.#loop;
    const detail = error === null ? null : error instanceof Error ? error.message : 'unknown';
    return { name: this.name, state, position: this.#position, detail };
  }

  async resume(): Promise<Position | 'start'> {
    const found = await this.deps.checkpoints.load<Sent>(this.name, VERSION, [KEY]);
    const stored = found.get(KEY);
    this.#position = stored?.at ?? null;
    this.#seq = stored?.doc?.seq ?? 0;
    if (stored === undefined || stored.doc === null) return 'start';
    await this.#assertLedger(stored.doc.ledger, stored.at);
    return stored.at;
  }

  async events(events: OneOrMore<RecordedEvent>): Promise<void> {
    let seq = this.#seq;
    const messages = events.map((event) =>
      this.#message(event, event.meta.origin === this.deps.region ? seq++ : null),
    ) as unknown as OneOrMore<Message>;
    await this.#publish(messages);
    await this.#keep(seq, events.at(-1)!.position);
  }
  passed(position: Position): Promise<void> {
    return this.#keep(this.#seq, position);
  }
  async caughtUp(): Promise<void> {}

  #message(event: RecordedEvent, seq: number | null): Message {
    const told = cloudEventOf(toldOf(this.deps.catalog.upcast(event)), this.numbered ? seq : null);
    return {
      topic: this.topic.name,
      key: told[this.topic.key] ?? told.subject,
      id: event.id,
      headers: { 'content-type': CLOUD_EVENT },
      body: Buffer.from(JSON.stringify(told)),
    };
  }

  async #publish(messages: OneOrMore<Message>): Promise<void> {
    try {
      await this.deps.publisher.publish(messages);
    } catch (error) {
      // Who runs the brokers makes topics and gives rights, perhaps after us.
      if (error instanceof TopicUnknown || error instanceof MessagingRefused)
        throw new MessagingUnavailable(error.message, error);
      throw error;
    }
  }

  async #keep(seq: number, position: Position): Promise<void> {
    const ledger = this.deps.ledger.id;
    const doc: Sent = { ledger, seq };
    const docs = [{ key: KEY, doc, at: position }];
    await this.deps.checkpoints.commit(this.name, VERSION, docs, { ledger, position }, []);
    this.#seq = seq;
    this.#position = position;
  }

  /** To go on in another ledger, or in one that lost events, would leave a gap in silence. */
  async #assertLedger(of: LedgerId, position: Position): Promise<void> {
    const { ledger } = this.deps;
    if (of !== ledger.id)
      throw new KcmError(
        'integrity',
        `The relay ${this.name} sent the ledger ${of}, this one is ${ledger.id}. Put the right ` +
          'ledger back; if this is the right one, remove the read models: all is sent again.',
      );
    const head = await ledger.head();
    if (head === null || position > head)
      throw new KcmError(
        'integrity',
        `The ledger ends at ${head ?? 'its start'}, and the relay ${this.name} has sent what came ` +
          `up to ${position}: events are missing. Put the whole ledger back.`,
      );
  }
}
