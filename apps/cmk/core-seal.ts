import type { Scheduler } from '@kcm/kernel';
import type { SealStatus, Upstream } from '@kcm/platform';

const LOOK_MS = 1_000;

/**
 * Whether Core, another process, is sealed: one that was started anew waits for its shares, and no
 * event says so. Looked up every second; while Core does not answer the record counts.
 */
export class CoreSeal implements SealStatus {
  #sealedThere = false;
  /** Of the last event of the region: what was asked before it is old. */
  #events = 0;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(
    private readonly core: Pick<Upstream, 'ask'>,
    private readonly recorded: SealStatus,
    private readonly scheduler: Scheduler,
    /** Found sealed. Must not throw. */
    private readonly onSealed: () => void,
  ) {}

  sealed(): boolean {
    return this.#sealedThere || this.recorded.sealed();
  }

  /** The region was initialized, unsealed or sealed, as the ledger says. */
  changed(): void {
    this.#events += 1;
    this.#sealedThere = false;
  }

  /** Resolves after the first look. Never throws. */
  async start(): Promise<void> {
    await this.#look();
    if (!this.#stopped) this.#cancel = this.scheduler.after(LOOK_MS, () => void this.start());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #look(): Promise<void> {
    const asked = this.#events;
    const sealed = await this.core.ask('/v1/sys/status').then(sealedOf, () => false);
    if (asked !== this.#events) return;
    const before = this.#sealedThere;
    this.#sealedThere = sealed;
    if (sealed && !before) this.onSealed();
  }
}

const sealedOf = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && (body as { sealed?: unknown }).sealed === true;
