import type { BlobStore } from '@kcm/vault';

/** A blob store in memory whose bytes a test may change, copy or move under the product's feet. */
export class MemoryBlobs implements BlobStore {
  readonly blobs = new Map<string, Buffer>();

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.blobs.set(key, Buffer.from(bytes));
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    if (this.blobs.has(key)) return false;
    this.blobs.set(key, Buffer.from(bytes));
    return true;
  }

  async replace(key: string, expected: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    if (this.blobs.get(key)?.equals(expected) !== true) return false;
    this.blobs.set(key, Buffer.from(bytes));
    return true;
  }

  async get(key: string): Promise<Buffer | null> {
    const bytes = this.blobs.get(key);
    return bytes === undefined ? null : Buffer.from(bytes);
  }

  async list(prefix: string): Promise<readonly string[]> {
    const keys = [...this.blobs.keys()].filter((key) => key.startsWith(prefix));
    return keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  async erase(prefix: string): Promise<number> {
    const keys = [...this.blobs.keys()].filter(
      (key) => key === prefix || key.startsWith(`${prefix}/`),
    );
    for (const key of keys) this.blobs.delete(key);
    return keys.length;
  }

  async close(): Promise<void> {}
}
