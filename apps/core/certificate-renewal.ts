import type { Clock, Scheduler } from '@kcm/kernel';

/**
 * Timers cannot be set months ahead, and a machine may sleep: the wall clock is looked at hourly.
 */
const LOOK_MS = 60 * 60_000;
/** Of a certificate's time: what is left is long enough for somebody to mend what fails. */
const RENEW_AT = 2 / 3;

export interface CertificateRenewalParts {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Issues the next certificate and puts it to use; when it ends (RFC 3339). */
  readonly renew: () => Promise<string>;
  /** It is tried again at the next look. Must not throw. */
  readonly onFailed: (error: unknown) => void;
}

/** Renews a certificate of this process long before it ends. */
export class CertificateRenewal {
  #dueMs: number;
  #cancel: () => void = () => {};
  #stopped = false;

  /** `notAfter` of the certificate that is in use now. */
  constructor(
    private readonly parts: CertificateRenewalParts,
    notAfter: string,
  ) {
    this.#dueMs = this.#dueOf(notAfter);
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #wait(): void {
    if (this.#stopped) return;
    this.#cancel = this.parts.scheduler.after(LOOK_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.parts.clock.wallMs() >= this.#dueMs)
      try {
        this.#dueMs = this.#dueOf(await this.parts.renew());
      } catch (error) {
        this.parts.onFailed(error);
      }
    this.#wait();
  }

  #dueOf(notAfter: string): number {
    const now = this.parts.clock.wallMs();
    return now + (Date.parse(notAfter) - now) * RENEW_AT;
  }
}
