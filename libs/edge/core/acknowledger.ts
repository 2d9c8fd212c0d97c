import { fullJitterMs, rfc3339, type Random } from '@kcm/kernel';
import type { AckStatement } from '@kcm/kmip';
import type { CorePort, Notice } from './core-port.js';
import type { GcWitness } from '../leases/gc-witness.js';
import type { L3Handle } from '../records/l3-handle.js';

const RETRY = { baseMs: 200, capMs: 10_000 };
const RETRIES_MAX = 60;

export interface AcknowledgerParts {
  readonly core: Pick<CorePort, 'state'>;
  readonly witness: GcWitness;
  readonly boot: string;
  readonly random: Random;
  readonly wallMs: () => number;
}

/** Says to Core, signed, what a revocation found here and when it was gone (leases.md step 7). */
export class Acknowledger {
  readonly #waking = new Set<() => void>();
  #stopped = false;

  constructor(private readonly parts: AcknowledgerParts) {}

  /** `dropped`: already useless, and their L3 overwritten. Resolves when Core has recorded it. */
  async acknowledge(notice: Notice, dropped: readonly L3Handle[]): Promise<boolean> {
    const refusedAt = rfc3339(this.parts.wallMs());
    const groups = dropped.map((handle) => handle.witnessed);
    const handles = groups.reduce((sum, group) => sum + group.alive, dropped.length);
    const erased = await this.parts.witness.confirm(groups);
    const statement: AckStatement = {
      boot: this.parts.boot,
      uid: notice.uid,
      term: notice.term,
      epoch: notice.epoch,
      refusedAt,
      erasedAt: erased ? rfc3339(this.parts.wallMs()) : 'dropped-unconfirmed',
      handles,
    };
    for (let failures = 0; failures <= RETRIES_MAX && !this.#stopped; failures += 1) {
      if (failures > 0)
        await this.#pause(fullJitterMs(this.parts.random, failures - 1, RETRY.baseMs, RETRY.capMs));
      const delivery = await this.parts.core.state('ack', { ...statement }, notice.traceparent);
      if (delivery !== 'unheard') return delivery === 'recorded';
    }
    return false;
  }

  stop(): void {
    this.#stopped = true;
    for (const wake of this.#waking) wake();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waking.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waking.add(done);
    });
  }
}
