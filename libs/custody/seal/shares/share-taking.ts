import { KcmError } from '@kcm/kernel';
import type { ShareSetConfig } from '../seal-config.js';
import { type AttemptParts, Attempts } from './attempts.js';
import { ShareCollector } from './collector.js';

/**
 * Shares of one set, as they come from people: each is judged, refusals are limited, and what was
 * taken is let go when nobody goes on.
 */
export class ShareTaking {
  #collector: ShareCollector | null = null;
  readonly #attempts: Attempts;

  constructor(
    private readonly region: string,
    parts: AttemptParts,
    /** Nobody went on: the shares are gone. Must not throw. */
    onIdle: () => void = () => {},
  ) {
    this.#attempts = new Attempts(parts, () => {
      this.letGo();
      onIdle();
    });
  }

  get provided(): number {
    return this.#collector?.provided ?? 0;
  }

  /**
   * @param retired sets that a rekey ended
   * @returns the shares once they are as many as it takes, to be used at once; else null
   * @throws KcmError share_refused (nothing is taken) · rate_limited
   */
  take(config: ShareSetConfig, retired: readonly string[], text: string): ShareCollector | null {
    this.#attempts.assertMore();
    if (this.#collector?.config.setId !== config.setId) this.letGo();
    this.#collector ??= new ShareCollector(this.region, config, retired);
    try {
      this.#collector.add(text);
    } catch (error) {
      this.#count(error);
      throw error;
    }
    this.#attempts.taken();
    return this.#collector.complete ? this.#collector : null;
  }

  /** What the shares open; they are gone then, whatever it came to. */
  async use<T>(shares: ShareCollector, act: () => Promise<T>): Promise<T> {
    try {
      const done = await act();
      this.#attempts.end();
      return done;
    } catch (error) {
      this.#count(error);
      throw error;
    } finally {
      shares.dispose();
      if (this.#collector === shares) this.#collector = null;
    }
  }

  /** The shares are gone; what was refused still counts. */
  letGo(): void {
    this.#collector?.dispose();
    this.#collector = null;
  }

  /** Whatever found it out: a share that is refused is refused. */
  #count(error: unknown): void {
    if (error instanceof KcmError && error.code === 'share_refused') this.#attempts.refused();
  }
}
