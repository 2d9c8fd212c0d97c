import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type EventId, KcmError, type LedgerId, LIMITS } from '@kcm/kernel';
import type { LogEntry, LogState, LogStore } from '@kcm/origin-log';
import { TokenOfAnotherLedger, type ReadToken } from '@kcm/read-models';
import {
  consistencyRanges,
  foldSubtrees,
  inclusionRanges,
  isWithin,
  nodesOf,
  type Range,
  subtreesOf,
  type Tile,
} from '@kcm/transparency';

/** How often it is looked whether the log has got there. */
const POLL_MS = 20;

/** What a checkpoint of a log says. */
export interface LogHead {
  readonly ledger: LedgerId;
  readonly size: number;
  readonly root: Buffer;
}
/** That an event is at a leaf of the tree that the head speaks of. */
export interface Inclusion {
  readonly entry: LogEntry;
  readonly leaf: Buffer;
  readonly path: readonly Buffer[];
  readonly head: LogHead;
}

/**
 * Reads a log while it is built. A token makes every method wait until the log has got to its
 * position. Each throws KcmError read_model_behind before anything was built, and when the log does
 * not get there in time; invalid_request for a token of another ledger.
 */
export class OriginLogReader {
  constructor(
    private readonly store: LogStore,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
  ) {}

  async head(token: ReadToken | null = null): Promise<LogHead> {
    return this.#headOf(await this.#state(token));
  }

  /** null: the event is not in the log, or not yet. */
  async inclusion(event: EventId, token: ReadToken | null = null): Promise<Inclusion | null> {
    return (await this.inclusions([event], token))?.[0] ?? null;
  }

  /** Of each, in the order asked for, under one head. null: one is not in the log, or not yet. */
  async inclusions(
    events: readonly EventId[],
    token: ReadToken | null = null,
  ): Promise<readonly Inclusion[] | null> {
    const state = await this.#state(token);
    const entries: LogEntry[] = [];
    for (const event of events) {
      const entry = await this.store.find(event);
      // Kept between the two looks.
      if (entry === null || entry.seq >= state.size) return null;
      entries.push(entry);
    }
    const head = await this.#headOf(state);
    return Promise.all(
      entries.map(async (entry) => {
        const [leaf] = await this.store.hashes([{ level: 0, index: entry.seq }]);
        const path = await this.#fold(inclusionRanges(entry.seq, state.size));
        return { entry, leaf: leaf!, path, head };
      }),
    );
  }

  /** The tile's hashes, one after another (C2SP tlog-tiles); null: the log does not reach there. */
  async tile(tile: Tile, token: ReadToken | null = null): Promise<Buffer | null> {
    const { size } = await this.#state(token);
    return isWithin(tile, size) ? Buffer.concat(await this.store.hashes(nodesOf(tile))) : null;
  }

  /**
   * The hashes that show that the tree of `from` leaves is the beginning of that of `to`; none when
   * they are one. @throws KcmError invalid_request unless 0 < from ≤ to ≤ the leaves that there are
   */
  async consistency(
    from: number,
    to: number,
    token: ReadToken | null = null,
  ): Promise<{ readonly ledger: LedgerId; readonly path: readonly Buffer[] }> {
    const { ledger, size } = await this.#state(token);
    const wrong = [
      ...(from > to ? [{ path: 'query.from', detail: 'must not be more than to' }] : []),
      ...(to > size ? [{ path: 'query.to', detail: `the log has ${size} leaves` }] : []),
    ];
    if (wrong.length === 0) return { ledger, path: await this.#fold(consistencyRanges(from, to)) };
    const names = wrong.map(({ path }) => path).join(', ');
    const errors = wrong.map((each) => ({ ...each, code: 'out_of_range' }));
    throw new KcmError('invalid_request', `These fields are wrong: ${names}.`, { errors });
  }

  async #state(token: ReadToken | null): Promise<LogState> {
    const end = this.clock.monotonicMs() + LIMITS.tokenWaitMsMax;
    for (;;) {
      const state = await this.store.state();
      if (token === null && state !== null) return state;
      if (token !== null && state !== null) {
        if (token.ledger !== state.ledger) throw new TokenOfAnotherLedger();
        if (state.position >= token.position) return state;
      }
      if (token === null || this.clock.monotonicMs() >= end) break;
      await sleep(POLL_MS);
    }
    throw new KcmError('read_model_behind', 'The transparency log has not got there yet.', {
      retryAfterSeconds: 1,
    });
  }
  async #headOf({ ledger, size }: LogState): Promise<LogHead> {
    const [root] = await this.#fold([{ from: 0, to: size }]);
    return { ledger, size, root: root! };
  }
  #fold(ranges: readonly Range[]): Promise<readonly Buffer[]> {
    return Promise.all(
      ranges.map(async (range) => foldSubtrees(await this.store.hashes(subtreesOf(range)))),
    );
  }
}
