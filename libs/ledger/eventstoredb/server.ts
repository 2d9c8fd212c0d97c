import type {
  AllStreamResolvedEvent,
  EventStoreDBClient,
  ReadPosition,
} from '@eventstore/db-client';
import type { Revision, Scheduler } from '@kcm/kernel';
import { failureOf } from './failures.js';
import { records } from './records.js';
import type { Kept } from './wire.js';

type Direction = 'forwards' | 'backwards';
export interface Link {
  readonly scheduler: Scheduler;
  readonly callMsMax: number;
  /** Aborted: the ledger is closed. */
  readonly closed: AbortSignal;
}

/** What the ledger asks EventStoreDB for, always of its leader: followers are behind. */
export class Server {
  constructor(
    readonly client: EventStoreDBClient,
    private readonly link: Link,
  ) {}

  /** Everything, others' too. Forwards it begins WITH the record at the position. */
  async *all(
    fromPosition: ReadPosition,
    direction: Direction,
    signal: AbortSignal = this.link.closed,
    maxCount?: number,
  ): AsyncGenerator<Kept, void, undefined> {
    const read = this.client.readAll({
      fromPosition,
      direction,
      requiresLeader: true,
      ...(maxCount === undefined ? {} : { maxCount }),
    });
    yield* kept(records<AllStreamResolvedEvent>(read, this.#patience(signal)));
  }

  /** From the revision on; null: no such stream. Events of a page may be left unread. */
  async stream(
    name: string,
    from: Revision | 'end',
    maxCount: number,
    enough: (record: Kept) => boolean = () => false,
  ): Promise<Kept[] | null> {
    const read = this.client.readStream(name, {
      fromRevision: from === 'end' ? 'end' : BigInt(from),
      direction: from === 'end' ? 'backwards' : 'forwards',
      requiresLeader: true,
      maxCount,
    });
    const found: Kept[] = [];
    try {
      for await (const record of kept(records(read, this.#patience(this.link.closed)))) {
        found.push(record);
        if (enough(record)) break;
      }
    } catch (error) {
      if (failureOf(error) === 'stream-not-found') return null;
      throw error;
    }
    return found;
  }

  #patience(signal: AbortSignal) {
    const { scheduler, callMsMax } = this.link;
    return { scheduler, silenceMsMax: callMsMax, signal };
  }
}

/** Resolved events as the records that they are; one whose data are gone has none. */
async function* kept(
  found: AsyncIterable<{ readonly event?: unknown; readonly link?: unknown }>,
): AsyncGenerator<Kept, void, undefined> {
  for await (const { event, link } of found) {
    const record = (event ?? link) as Kept | undefined;
    if (record !== undefined) yield record;
  }
}
