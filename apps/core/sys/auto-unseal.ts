import { fullJitterMs, KcmError, LIMITS, type Random, type Scheduler } from '@kcm/kernel';

export interface AutoUnsealParts {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Sealed, and by a keystore: it is for this to open. */
  readonly waits: () => boolean;
  /** Rejects with what the keystore said. */
  readonly unseal: () => Promise<void>;
  /** Each word that is another than the last. Must not throw. */
  readonly report: (refusal: KcmError) => void;
}

/**
 * Opens a region that a keystore keeps, and tries again for as long as it says no or nothing: the
 * process stays, sealed, and says why. Whoever seals it ends this.
 */
export class AutoUnseal {
  #refusal: KcmError | null = null;
  #attempt = 0;
  /** Of the last start: what an earlier one still waits for counts no more. */
  #run = 0;
  #cancel: () => void = () => {};

  constructor(private readonly parts: AutoUnsealParts) {}

  /** Why it is not open yet; null: it is, or was not tried. */
  get refusal(): KcmError | null {
    return this.#refusal;
  }

  /** Now, and again until it is open. Never throws. */
  start(): void {
    this.stop();
    if (this.parts.waits()) void this.#try(this.#run);
  }

  stop(): void {
    this.#cancel();
    this.#run += 1;
    this.#attempt = 0;
    this.#refusal = null;
  }

  async #try(run: number): Promise<void> {
    try {
      await this.parts.unseal();
      if (run === this.#run) this.#refusal = null;
    } catch (error) {
      if (run !== this.#run) return;
      const refusal =
        error instanceof KcmError
          ? error
          : new KcmError('internal', 'The region was not opened.', { cause: error });
      if (refusal.message !== this.#refusal?.message) this.parts.report(refusal);
      this.#refusal = refusal;
      const { sealRetryMsMin, sealRetryMsMax } = LIMITS;
      const { random, scheduler } = this.parts;
      const waitMs = fullJitterMs(random, this.#attempt++, sealRetryMsMin, sealRetryMsMax);
      this.#cancel = scheduler.after(waitMs, () => void this.#try(run));
    }
  }
}
