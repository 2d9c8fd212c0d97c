import type { Delivery, Messaging, Subscription, Verdict } from '@kcm/messaging';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS_MAX = 20_000;

/** @throws Error when it has not come true in time */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const until = Date.now() + WAIT_MS_MAX;
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`not within ${WAIT_MS_MAX / 1000} s: ${String(holds)}`);
    await sleep(10);
  }
}

/** A consumer that remembers what it was given. */
export class MessageReader {
  readonly seen: Delivery[] = [];
  readonly ended: Promise<void>;
  readonly #over = new AbortController();
  #failure: unknown = null;

  constructor(
    messaging: Messaging,
    subscription: Subscription,
    verdict: (delivery: Delivery) => Verdict | Promise<Verdict>,
  ) {
    this.ended = messaging.run(
      subscription,
      async (batch) => {
        this.seen.push(...batch);
        const verdicts: Verdict[] = [];
        for (const delivery of batch) verdicts.push(await verdict(delivery));
        return verdicts;
      },
      this.#over.signal,
    );
    this.ended.catch((error: unknown) => (this.#failure = error));
  }

  async until(count: number): Promise<this> {
    await eventually(() => {
      if (this.#failure !== null) throw this.#failure;
      return this.seen.length >= count;
    });
    return this;
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.ended.catch(() => undefined);
  }
}
