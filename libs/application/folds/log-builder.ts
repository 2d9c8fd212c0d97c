import { KcmError, type OneOrMore, type Position, type RecordedEvent } from '@kcm/kernel';
import type { HashedNode, LogEntry, LogState, LogStore } from '@kcm/origin-log';
import { GrowingTree, leafOf, subtreesOf } from '@kcm/transparency';
import { type FeedConsumer, FeedLoop, type FeedLoopDeps, type FeedState } from './feed-loop.js';

export interface LogBuilderDeps extends FeedLoopDeps {
  readonly region: string;
  readonly store: LogStore;
}

/**
 * Builds the log of a region from the ledger's feed: the events that the region decided, in ledger
 * order, each at the next leaf, hashed as it was stored. What is kept is a function of the ledger
 * alone, so that it can be deleted, and two builders come to the same.
 */
export class LogBuilder implements FeedConsumer {
  readonly #loop: FeedLoop;
  #tree = new GrowingTree();
  #state: LogState | null = null;

  constructor(private readonly deps: LogBuilderDeps) {
    this.#loop = new FeedLoop(deps, this);
  }

  start(): void {
    this.#loop.start();
  }
  /** Resolves when the step under way is kept. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }
  health(): { readonly state: FeedState; readonly position: Position | null } {
    return { state: this.#loop.state, position: this.#state?.position ?? null };
  }

  /** From what is kept alone: a step that failed may be kept or not. */
  async resume(): Promise<Position | 'start'> {
    const { region, ledger, store } = this.deps;
    const state = await store.state();
    await assertLogIsOf({ region, ledger, state });
    const size = state?.size ?? 0;
    const edge = await store.hashes(subtreesOf({ from: 0, to: size }));
    this.#tree = GrowingTree.resume(size, edge);
    this.#state = state;
    return state?.position ?? 'start';
  }

  async events(events: OneOrMore<RecordedEvent>): Promise<void> {
    const entries: LogEntry[] = [];
    const nodes: HashedNode[] = [];
    for (const event of events) {
      if (event.meta.origin !== this.deps.region) continue;
      entries.push({ seq: this.#tree.size, event: event.id, tenant: event.meta.tenant });
      nodes.push(...this.#tree.append(leafOf(event)));
    }
    await this.#keep(entries, nodes, events.at(-1)!.position);
  }
  async passed(position: Position): Promise<void> {
    await this.#keep([], [], position);
  }
  async caughtUp(): Promise<void> {}

  async #keep(
    entries: readonly LogEntry[],
    nodes: readonly HashedNode[],
    position: Position,
  ): Promise<void> {
    const { region, ledger, store } = this.deps;
    const state = { region, ledger: ledger.id, position, size: this.#tree.size };
    await store.append(this.#state, { entries, nodes, state });
    this.#state = state;
  }
}

/**
 * A log says what was there. One that was built from another ledger, or reaches further than this
 * one, is not built on: the ledger may have lost events, or been put in the place of another.
 * @throws KcmError integrity
 */
export async function assertLogIsOf(about: {
  readonly region: string;
  readonly ledger: LogBuilderDeps['ledger'];
  readonly state: LogState | null;
}): Promise<void> {
  const { region, ledger, state } = about;
  if (state === null) return;
  if (state.ledger !== ledger.id || state.region !== region) {
    throw new KcmError(
      'integrity',
      `The transparency log is that of the region ${state.region} and the ledger ${state.ledger}, ` +
        `not of ${region} and ${ledger.id}. Put the right ledger back; if this is the right one, ` +
        'remove the log: it is built again.',
    );
  }
  const head = await ledger.head();
  if (head !== null && state.position <= head) return;
  throw new KcmError(
    'integrity',
    `The ledger ends at ${head ?? 'its start'}, and the transparency log was built from it up to ` +
      `${state.position}: events are missing. Put the whole ledger back; to go on without them, ` +
      'remove the log, and whoever kept a checkpoint of it will find out.',
  );
}
