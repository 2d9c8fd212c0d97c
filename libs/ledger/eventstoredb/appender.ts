import { KcmError, type Revision, type StreamId } from '@kcm/kernel';
import type { EncodedEvent } from '../append-rules.js';
import { LedgerConflict, LedgerOutcomeUnknown, StreamGone } from '../errors.js';
import type { Appended, Expected } from '../ledger.js';
import { assertKept } from './audit.js';
import { failureOf, passes } from './failures.js';
import { persevere } from './persevere.js';
import { positionOf } from './position.js';
import type { Link, Server } from './server.js';
import { appendOf, toWire, type Kept, type Names } from './wire.js';

interface Attempt {
  readonly stream: StreamId;
  readonly expected: Expected;
  readonly events: readonly EncodedEvent[];
  /** Revision of the first event. */
  readonly from: Revision;
  /** Stands beside each event that this call stores. */
  readonly mark: string;
}

/**
 * Appends, and believes what it then reads: the server answers a repetition like a first time, and
 * may leave the position out.
 */
export class Appender {
  constructor(
    private readonly server: Server,
    private readonly names: Names,
    private readonly mark: () => string,
    private readonly link: Link,
  ) {}

  async append(
    stream: StreamId,
    expected: Expected,
    events: readonly EncodedEvent[],
  ): Promise<Appended> {
    const from = expected === 'noStream' ? 0 : expected + 1;
    const attempt = { stream, expected, events, from, mark: this.mark() };
    let sent = false;
    try {
      return await persevere(this.link, async () => {
        // A deleted stream looks like none, and would be begun anew.
        if (!sent && expected === 'noStream') await assertKept(this.server, this.names.at(stream));
        sent = true;
        return await this.#once(attempt);
      });
    } catch (error) {
      throw sent && passes(error) ? new LedgerOutcomeUnknown(error) : error;
    }
  }

  /** null: no such stream. */
  async last(stream: StreamId): Promise<Revision | null> {
    const found = await this.server.stream(this.names.at(stream), 'end', 1);
    return found?.[0] === undefined ? null : Number(found[0].revision);
  }

  async #once(attempt: Attempt): Promise<Appended> {
    const { stream, expected, events, from, mark } = attempt;
    const last = from + events.length - 1;
    const proposal = events.map((event) => toWire(event, mark));
    try {
      const result = await this.server.client.appendToStream(this.names.at(stream), proposal, {
        expectedRevision: expected === 'noStream' ? 'no_stream' : BigInt(expected),
        requiresLeader: true,
        deadline: this.link.callMsMax,
      });
      // A connection string may say that a conflict is no error.
      if (!result.success) return await this.#replay(attempt);
      if (result.nextExpectedRevision < BigInt(last)) throw new StreamGone(stream);
    } catch (error) {
      if (failureOf(error) !== 'wrong-expected-version') throw error;
      return this.#replay(attempt);
    }
    const [stored] = (await this.server.stream(this.names.at(stream), last, 1)) ?? [];
    if (stored === undefined || Number(stored.revision) !== last) throw new StreamGone(stream);
    if (stored.id !== events.at(-1)!.id)
      throw new KcmError('integrity', `The event ${last} of ${stream} is not what was stored.`);
    return appended(stored, mark);
  }

  /** Refused: stored already, by this call or an earlier one, or a conflict. */
  async #replay({ stream, expected, events, from, mark }: Attempt): Promise<Appended> {
    const name = this.names.at(stream);
    const found = (await this.server.stream(name, from, events.length)) ?? [];
    const same =
      found.length === events.length &&
      found.every(
        ({ id, revision }, at) => id === events[at]!.id && Number(revision) === from + at,
      );
    if (same) return appended(found.at(-1)!, mark);
    const last = await this.last(stream);
    if (last === null) await assertKept(this.server, name);
    throw new LedgerConflict(stream, expected, last);
  }
}

const appended = (stored: Kept, mark: string): Appended => ({
  revision: Number(stored.revision),
  position: positionOf(stored.position!),
  replayed: appendOf(stored) !== mark,
});
