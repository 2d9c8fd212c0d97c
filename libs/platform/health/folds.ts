import type { ProjectionHealth } from '@kcm/application';
import { type Clock, LIMITS, type Position, type Reason } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';

/** The live states of all streams: what is granted and refused rests on them. */
export const CORE_VIEW = 'core-view';
/** Its keeper: the log of the region. */
export const LOG_FOLD = 'transparency-log';
/** Sends events on; nothing here is read from it. */
export const isRelay = ({ name }: Pick<Fold, 'name'>): boolean => name.startsWith('relay-');
/** Something that is folded from the ledger. */
export type Fold = Pick<ProjectionHealth, 'name' | 'position' | 'state'>;
type Folds = () => readonly Fold[];

/** What is said of lags is so old at most: `/readyz` and `/metrics` are open to anybody. */
const FRESH_MS = 1_000;

/** How far folds are behind the ledger: looked up at most once a second, once for each place. */
export class Lags {
  #head: Promise<Position | null> | null = null;
  #takenAt = Number.NEGATIVE_INFINITY;
  #known = new Map<Position | null, Promise<number>>();

  constructor(
    private readonly ledger: Ledger,
    private readonly clock: Clock,
  ) {}

  /**
   * Age of the first event that is not folded yet, in seconds; 0 when there is none.
   * @throws the ledger's trouble
   */
  of({ position }: Fold): Promise<number> {
    const now = this.clock.monotonicMs();
    if (this.#head === null || now - this.#takenAt >= FRESH_MS) {
      this.#takenAt = now;
      this.#head = this.ledger.head();
      this.#known = new Map();
    }
    const known = this.#known.get(position) ?? this.#lag(position, this.#head);
    this.#known.set(position, known);
    return known;
  }

  async #lag(position: Position | null, taken: Promise<Position | null>): Promise<number> {
    const head = await taken;
    if (head === null || (position !== null && position >= head)) return 0;
    const since = await this.#occurredAfter(position);
    return Math.max(0, this.clock.wallMs() - since) / 1000;
  }

  async #occurredAfter(position: Position | null): Promise<number> {
    const abort = new AbortController();
    try {
      for await (const item of this.ledger.feed(position ?? 'start', abort.signal))
        if (item.kind === 'events') return Date.parse(item.events[0].meta.occurredAt);
    } finally {
      abort.abort();
    }
    return this.clock.wallMs();
  }
}

const namesOf = (fold: Fold) => {
  const { name } = fold;
  const own = name === LOG_FOLD || isRelay(fold);
  return name === CORE_VIEW
    ? ({ dependency: name, level: 'unavailable' } as const)
    : ({ dependency: own ? name : `read-model ${name}`, level: 'degraded' } as const);
};
const LATE = 'wait; if it grows look at the load of the machine and of its disk';
/** What to do about one that stopped. */
const remedyOf = (fold: Fold): string => {
  const { name } = fold;
  if (name === CORE_VIEW) return 'start the release that wrote that event';
  if (isRelay(fold)) return 'the log says which event or which ledger it does not go on from';
  return name === LOG_FOLD
    ? 'stop, delete log.db with its -wal and -shm, start: it is built from the ledger'
    : `with the release that knows that event: kcm projection rebuild ${name}`;
};

/**
 * A read model that stands still is old, not wrong: commands and grants go on, so it is degraded. The
 * view that Core grants by answers nothing any more once it stands still.
 */
export function foldReasons(folds: Folds): Reason[] {
  return folds().flatMap((fold) => stateReason(fold) ?? []);
}

/** Those that go on and are late. @throws the ledger's trouble */
export async function lagReasons(folds: Folds, lags: Lags): Promise<Reason[]> {
  const reasons: Reason[] = [];
  for (const fold of folds()) {
    if (stateReason(fold) !== null) continue;
    const seconds = await lags.of(fold);
    if (seconds * 1000 <= LIMITS.foldLagMsMax) continue;
    const names = namesOf(fold);
    const isReadModel = names.dependency.startsWith('read-model ');
    reasons.push({
      ...names,
      level: 'degraded',
      code: 'behind',
      detail: `${Math.floor(seconds)} s behind the ledger`,
      next: isReadModel ? `${LATE}; where the projector runs apart, at its /readyz` : LATE,
    });
  }
  return reasons;
}

function stateReason(fold: Fold): Reason | null {
  const { state } = fold;
  if (state === 'failed')
    return {
      ...namesOf(fold),
      code: 'stopped',
      detail: 'it stopped at an event that it cannot take; the log says which and why',
      next: remedyOf(fold),
    };
  if (state === 'waiting')
    return {
      ...namesOf(fold),
      level: 'degraded',
      code: 'waiting',
      detail: isRelay(fold)
        ? 'Kafka takes no events: it is not reached, or lacks a topic or our right to it'
        : 'the ledger or its store cannot be reached; it is tried again',
      next: isRelay(fold)
        ? 'the log says which; nothing is lost, it goes on from there by itself'
        : 'look at the disk of the data folder, or at the server that holds it',
    };
  return null;
}
