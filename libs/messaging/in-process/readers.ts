import type { OneOrMore } from '@kcm/kernel';
import { Attempts, type Delivery, MessagesGone, type Subscription } from '../index.js';
import type { TopicLog } from './topic-log.js';

/** How far a group is, or one consumer that keeps that itself. */
export class Readers {
  readonly #attempts = new Attempts();
  /** A partition that somebody is at work on, or that waits to be given again. */
  readonly #taken = new Set<number>();
  readonly #next = new Map<number, number>();

  constructor(
    private readonly topic: string,
    private readonly log: TopicLog,
    as: Subscription['as'],
    /** Of a group alone: it goes on at what is kept. */
    private readonly lost: ((error: MessagesGone) => void) | null,
  ) {
    for (const partition of log.partitions) {
      const start = as.kind === 'broadcast' ? log.end(partition) : log.first(partition);
      const stored = as.kind === 'own' ? as.offsets.get(partition) : undefined;
      const next = stored === undefined ? start : Number(stored) + 1;
      if (next < log.first(partition) || next > log.end(partition))
        throw new MessagesGone(topic, partition);
      this.#next.set(partition, next);
    }
  }

  /** A piece of a partition that is free now; null where all is read or taken. @throws MessagesGone */
  take(): OneOrMore<Delivery> | null {
    for (const [partition, next] of this.#next) {
      if (this.#taken.has(partition) || next >= this.log.end(partition)) continue;
      const from = Math.max(next, this.log.first(partition));
      if (from > next) this.#miss(new MessagesGone(this.topic, partition));
      // The one that is read now is asked last the next time, so that none starves.
      this.#next.delete(partition);
      this.#next.set(partition, from);
      const [first, ...rest] = this.log.read(partition, from);
      this.#taken.add(partition);
      return [{ ...first!, attempt: this.#attempts.of(partition, first!.offset) }, ...rest];
    }
    return null;
  }

  /** The partition goes on when it is freed. */
  passed(piece: OneOrMore<Delivery>, passed: number): void {
    const { partition, offset } = piece[0];
    this.#attempts.settled(partition, piece[passed] ?? null);
    this.#next.set(partition, Number(offset) + passed);
  }
  free({ partition }: Delivery): void {
    this.#taken.delete(partition);
  }

  #miss(gone: MessagesGone): void {
    if (this.lost === null) throw gone;
    this.lost(gone);
  }
}
