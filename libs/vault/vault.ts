/**
 * Deletable bytes beside the ledger, in three roles with files of their own: the vault (wrapped
 * material, always under the barrier), the erasure store (TEKs; backups leave it out) and the
 * directory (names behind opaque ids). Keys are `/`-separated paths, 1–512 bytes of
 * [A-Za-z0-9._/-].
 */
export interface BlobStore {
  /** Durable when it resolves; replaces what was there. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Durable; true if this call stored it, false if the key already holds something. */
  putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean>;
  /**
   * Durable; true if the key held exactly `expected` and holds `bytes` now. False changed nothing:
   * what was erased meanwhile stays so.
   */
  replace(key: string, expected: Uint8Array, bytes: Uint8Array): Promise<boolean>;
  get(key: string): Promise<Buffer | null>;
  /** Keys equal to or under the given path ('' for all), bytewise order. */
  list(prefix: string): Promise<readonly string[]>;
  /**
   * Deletes every key equal to or under the given prefix (a path: `a/b` never matches `a/bc`).
   * Resolves only once the bytes are gone from the database and its write-ahead log; how many.
   * After a failure it is repeated, whatever it then counts.
   */
  erase(prefix: string): Promise<number>;
  close(): Promise<void>;
}

/** Of one place of a store that is in several. */
export interface CopyState {
  /** As people are told of it: a file, or a server without who we are there. */
  readonly name: string;
  /** Why it does not take part; null while it does. */
  readonly away: string | null;
}
/**
 * A store in one or two places. What is written is in each of them or not acknowledged; what is
 * erased is gone from each of them or not confirmed.
 */
export interface Copies extends BlobStore {
  readonly copies: readonly CopyState[];
  /**
   * Writes in each place, to know that it can be; who was away takes part again once it has what the
   * other has, and nothing that was erased. Never throws.
   */
  prove(): Promise<void>;
  /** Everything, with what the copies keep for themselves: a place can begin with it. */
  copyInto(store: BlobStore): Promise<void>;
}

export const Vault = Symbol('Vault');
export const ErasureStore = Symbol('ErasureStore');
export const Directory = Symbol('Directory');
