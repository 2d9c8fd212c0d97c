import { LIMITS } from '@kcm/kernel';

/** A connection that is more than a head: what is below is not counted. */
const COUNTED_FROM_BYTES = LIMITS.edgeHeaderBytesMax;

export interface Holder {
  /** Must free all that it holds. */
  giveUp(): void;
}

/**
 * What the connections of all sockets keep of requests and answers, together. Where that is too
 * much the one that got on least recently gives up: whoever sends at the pace of a machine is
 * answered, and those that keep others' memory on purpose go one after the other.
 */
export class HeldBytes {
  readonly #held = new Map<Holder, number>();
  #bytes = 0;

  constructor(private readonly bytesMax: number = LIMITS.edgeHeldBytesMax) {}

  get bytes(): number {
    return this.#bytes;
  }

  /** How much it holds from now on; `progress`: a request of it was answered since the last time. */
  hold(holder: Holder, bytes: number, progress: boolean): void {
    const before = this.#held.get(holder) ?? 0;
    const now = bytes < COUNTED_FROM_BYTES ? 0 : bytes;
    if (before === 0 && now === 0) return;
    if (now === 0 || progress) this.#held.delete(holder);
    if (now > 0) this.#held.set(holder, now);
    this.#bytes += now - before;
    while (this.#bytes > this.bytesMax) this.#giveUp(this.#held.keys().next().value!);
  }

  #giveUp(holder: Holder): void {
    this.#bytes -= this.#held.get(holder)!;
    this.#held.delete(holder);
    holder.giveUp();
  }
}
