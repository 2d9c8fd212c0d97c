import type { FilteredFeed, Ledger } from '@kcm/ledger';
import type { FeedState } from '../folds/feed-loop.js';
import { type LaneDeps, type LaneHealth, RelayLane } from './relay-lane.js';
import { TOPICS } from './topics.js';

export interface RelayDeps extends Omit<LaneDeps, 'ledger' | 'report'> {
  readonly ledger: Ledger & FilteredFeed;
  /** A failure that stops a lane, or one that is tried again. Must not throw. */
  report(name: string, error: unknown, state: FeedState): void;
}

/**
 * Sends the ledger to the topics: all events, and locks and revocations beside them on a feed of
 * their own, so that no backlog of the former stands before the latter.
 */
export class Relay {
  readonly #lanes: readonly RelayLane[];

  constructor(deps: RelayDeps) {
    const { ledger } = deps;
    const of = (name: string): LaneDeps => ({
      ...deps,
      report: (error, state) => deps.report(name, error, state),
    });
    const { events, revocations } = TOPICS;
    const all: Ledger['feed'] = (after, signal) => ledger.feed(after, signal);
    const some: Ledger['feed'] = (after, signal) =>
      ledger.feedOf(revocations.categories, after, signal);
    this.#lanes = [
      new RelayLane(of('relay-events'), 'relay-events', events, all, true),
      new RelayLane(of('relay-revocations'), 'relay-revocations', revocations, some, false),
    ];
  }

  start(): void {
    for (const lane of this.#lanes) lane.start();
  }
  /** Resolves when what is under way is acknowledged and kept, or has failed. */
  async stop(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.stop()));
  }
  health(): readonly LaneHealth[] {
    return this.#lanes.map((lane) => lane.health());
  }
}
