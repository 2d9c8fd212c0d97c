import { type Clock, KcmError, LIMITS, type Scheduler } from '@kcm/kernel';

export interface AttemptParts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly scheduler: Scheduler;
}

/**
 * How often shares may be refused, and how long those that were taken are kept: both end when
 * nothing got on for `sharesIdleMsMax`. The refusal that is one too many begins that time anew.
 */
export class Attempts {
  #refused = 0;
  #sinceMs: number | null = null;
  #cancel: () => void = () => {};

  /** @param onIdle lets go of what was taken. Must not throw. */
  constructor(
    private readonly parts: AttemptParts,
    private readonly onIdle: () => void,
  ) {}

  /** @throws KcmError rate_limited, with the seconds that are left */
  assertMore(): void {
    this.#expire();
    if (this.#refused < LIMITS.sharesRefusedMax) return;
    const leftMs = this.#sinceMs! + LIMITS.sharesIdleMsMax - this.parts.clock.monotonicMs();
    const refused = `${LIMITS.sharesRefusedMax} shares were refused`;
    const minutes = Math.max(1, Math.ceil(leftMs / 60_000));
    throw new KcmError('rate_limited', `${refused}: none is taken for ${minutes} more minutes.`, {
      retryAfterSeconds: Math.max(1, Math.ceil(leftMs / 1000)),
    });
  }

  refused(): void {
    this.#refused += 1;
    if (this.#sinceMs === null || this.#refused === LIMITS.sharesRefusedMax) this.#restart();
  }

  taken(): void {
    this.#restart();
  }

  /** It is over, well or by somebody's word: nothing is counted any more. */
  end(): void {
    this.#cancel();
    this.#refused = 0;
    this.#sinceMs = null;
  }

  #restart(): void {
    this.#sinceMs = this.parts.clock.monotonicMs();
    this.#cancel();
    this.#cancel = this.parts.scheduler.after(LIMITS.sharesIdleMsMax, () => this.#expire());
  }

  /** By the clock: a timer may be late where the machine slept. */
  #expire(): void {
    if (this.#sinceMs === null) return;
    if (this.parts.clock.monotonicMs() - this.#sinceMs < LIMITS.sharesIdleMsMax) return;
    this.end();
    this.onIdle();
  }
}
