import type { ProjectionHealth } from '@kcm/application';
import { type Clock, LIMITS, type Position } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import type { Reason } from '@kcm/platform';
import type { Composition } from '../composition.js';

/** Core's own fold: what it grants rests on it. */
export const CORE_VIEW = 'core-view';
type Fold = Pick<ProjectionHealth, 'name' | 'position' | 'state'>;

/** Everything that is folded from the ledger. */
export function allFolds({
  states,
  runner,
  host,
}: Pick<Composition, 'states' | 'runner' | 'host'>): readonly Fold[] {
  return [{ name: CORE_VIEW, ...states.health() }, ...runner.health(), ...host.health()];
}

export interface Lag {
  /** Positions of the embedded ledger are counted. */
  readonly positions: number;
  /** Age of the first event that is not folded yet; 0 when there is none. */
  readonly seconds: number;
}

/** How far folds are behind the ledger; those at one place are looked at once. */
export class Lags {
  readonly #known = new Map<Position | null, Promise<Lag>>();

  private constructor(
    private readonly ledger: Ledger,
    private readonly clock: Clock,
    private readonly head: Position | null,
  ) {}

  /** @throws the ledger's trouble */
  static async now(ledger: Ledger, clock: Clock): Promise<Lags> {
    return new Lags(ledger, clock, await ledger.head());
  }

  of({ position }: Fold): Promise<Lag> {
    const known = this.#known.get(position) ?? this.#lag(position);
    this.#known.set(position, known);
    return known;
  }

  async #lag(position: Position | null): Promise<Lag> {
    const { head } = this;
    if (head === null || (position !== null && position >= head))
      return { positions: 0, seconds: 0 };
    const since = await this.#occurredAfter(position);
    const seconds = Math.max(0, this.clock.wallMs() - since) / 1000;
    return { positions: Number(head) - Number(position ?? 0), seconds };
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

/**
 * A read model that stands still is old, not wrong: commands and grants go on, so it is degraded. The
 * view that Core grants by answers nothing any more once it stands still.
 */
export async function foldReasons(
  parts: Pick<Composition, 'states' | 'runner' | 'host'>,
  ledger: Ledger,
  clock: Clock,
): Promise<Reason[]> {
  const lags = await Lags.now(ledger, clock);
  const reasons: Reason[] = [];
  for (const fold of allFolds(parts)) {
    const reason = await reasonOf(fold, lags);
    if (reason !== null) reasons.push(reason);
  }
  return reasons;
}

async function reasonOf(fold: Fold, lags: Lags): Promise<Reason | null> {
  const { name, state } = fold;
  const core = name === CORE_VIEW;
  const level = core ? 'unavailable' : 'degraded';
  const of = { dependency: core ? name : `read-model ${name}`, level } as const;
  if (state === 'failed')
    return {
      ...of,
      code: 'stopped',
      detail: 'it stopped at an event that it cannot take; the log says which and why',
      next: core
        ? 'start the release that wrote that event'
        : `with the release that knows that event: kcm projection rebuild ${name}`,
    };
  if (state === 'waiting')
    return {
      ...of,
      level: 'degraded',
      code: 'waiting',
      detail: 'the ledger or its store cannot be reached; it is tried again',
      next: 'look at the disk of the data folder',
    };
  const { positions, seconds } = await lags.of(fold);
  if (seconds * 1000 <= LIMITS.foldLagMsMax) return null;
  return {
    ...of,
    level: 'degraded',
    code: 'behind',
    detail: `${positions} events behind the ledger, ${Math.floor(seconds)} s`,
    next: 'wait; if it grows look at the load of the machine and of its disk',
  };
}
