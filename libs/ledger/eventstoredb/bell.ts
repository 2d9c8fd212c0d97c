import type { EventStoreDBClient } from '@eventstore/db-client';
import { LIMITS, type Scheduler } from '@kcm/kernel';
import { Wake } from '../wake.js';

/**
 * Rings when there may be something new. One subscription of the whole server serves all feeds, and
 * says that much only: what is new is read page by page, so that nothing rests on a subscription's
 * checkpoints, on its order or on each event coming once. One that fell silent costs seconds: the
 * bell rings every few by itself.
 */
export class Bell {
  readonly #wake = new Wake();
  #subscription: ReturnType<EventStoreDBClient['subscribeToAll']> | null = null;
  #state: 'idle' | 'on' | 'closed' = 'idle';
  #rung = 0;
  #cancelTimer = (): void => undefined;

  constructor(
    private readonly client: EventStoreDBClient,
    private readonly scheduler: Scheduler,
  ) {}

  /** Rises with each ring: who has read since it looked has missed none. */
  get rung(): number {
    return this.#rung;
  }
  ring(): void {
    this.#rung += 1;
    this.#wake.raise();
  }
  next(signal: AbortSignal): Promise<void> {
    return this.#wake.next(signal);
  }
  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'on';
    this.#subscribe();
    this.#tick();
  }
  close(): void {
    this.#state = 'closed';
    this.#cancelTimer();
    this.#subscription?.unsubscribe().catch(() => undefined);
    this.ring();
  }

  #tick(): void {
    this.#cancelTimer = this.scheduler.after(LIMITS.retryMsMax, () => {
      this.ring();
      this.#tick();
    });
  }
  #subscribe(): void {
    const subscription = this.client.subscribeToAll({ fromPosition: 'end' });
    this.#subscription = subscription;
    let over = false;
    const again = (): void => {
      if (over) return;
      over = true;
      this.scheduler.after(LIMITS.retryMsMin, () => {
        if (this.#state === 'on') this.#subscribe();
      });
    };
    subscription
      .on('data', () => this.ring())
      // What came between the last read and the subscription's start.
      .on('confirmation', () => this.ring())
      .on('error', again)
      .on('end', again)
      .on('close', again);
  }
}
