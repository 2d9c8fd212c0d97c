import type { BlobStore } from '@kcm/vault';
import { type Barrier, entryOf } from './barrier.js';

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

  /** @throws KcmError sealed; integrity */
  async replace(key: string, expected: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    const blob = await this.inner.get(key);
    if (blob === null || !this.barrier().open(key, blob).equals(expected)) return false;
    return this.inner.replace(key, blob, this.barrier().seal(key, bytes));
  }

  /**
   * The entry of the keyring that a blob is sealed with now: the newest, after this; null: there is
   * none, or it is not behind the barrier.
   * @throws KcmError sealed; integrity
   */
  async reseal(key: string): Promise<number | null> {
    for (;;) {
      const blob = await this.inner.get(key);
      const entry = blob === null ? null : entryOf(blob);
      if (entry === null || entry === this.barrier().entry) return entry;
      const bytes = this.barrier().open(key, blob!);
      const sealed = this.barrier().seal(key, bytes);
      bytes.fill(0);
      // Lost against who wrote or erased it meanwhile: then theirs is looked at.
      await this.inner.replace(key, blob!, sealed);
    }
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
