import type { BlobStore } from '@kcm/vault';
import type { Barrier } from './barrier.js';

/**
 * A blob store behind the barrier: what is written is sealed to its key, what is read is opened.
 * Listing and erasing need no key and go through. `close` leaves the inner store to its owner.
 */
export class BarrieredStore implements BlobStore {
  /** @param barrier the barrier, or throws KcmError sealed */
  constructor(
    private readonly inner: BlobStore,
    private readonly barrier: () => Barrier,
  ) {}

  /** @throws KcmError sealed */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.inner.put(key, this.barrier().seal(key, bytes));
  }

  /** @throws KcmError sealed */
  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.inner.putIfAbsent(key, this.barrier().seal(key, bytes));
  }

  /**
   * @throws KcmError sealed; integrity (naming the key) when what is stored was changed or moved
   */
  async get(key: string): Promise<Buffer | null> {
    this.barrier();
    const blob = await this.inner.get(key);
    return blob === null ? null : this.barrier().open(key, blob);
  }

  list(prefix: string): Promise<readonly string[]> {
    return this.inner.list(prefix);
  }

  erase(prefix: string): Promise<number> {
    return this.inner.erase(prefix);
  }

  async close(): Promise<void> {}
}
