import { KcmError } from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';

/** One of the places of a replicated store. */
export interface Place {
  /** As people are told of it: a file, or a server without who we are there. */
  readonly name: string;
  /** Whoever cannot be opened is away, and is tried again. */
  open(): Promise<BlobStore>;
}

/** What a replicated store keeps for itself, beside what it is given. */
export const OWN = 'copies';
/** Which set of copies this is one of: 16 random bytes, made once. */
const SET = `${OWN}/set`;
/** Paths that were erased, so that a copy that was away then does not bring them back. */
const ERASED = `${OWN}/erased`;

const PROVED = `${OWN}/proved`;

export const isDamage = (error: unknown): boolean =>
  error instanceof KcmError && error.code === 'integrity';

/** A place with what is known of it. */
export class Copy {
  store: BlobStore | null = null;
  /** Why it does not take part; null while it does. */
  trouble: string | null = 'it has not been opened yet';

  constructor(readonly place: Place) {}

  /** What takes part. @throws KcmError ledger_unavailable naming the place */
  get(): BlobStore {
    if (this.trouble === null && this.store !== null) return this.store;
    throw new KcmError('ledger_unavailable', `${this.place.name} is away: ${this.trouble}`);
  }

  async opened(): Promise<BlobStore> {
    this.store ??= await this.place.open();
    return this.store;
  }

  /**
   * Runs a call. What it throws puts the copy aside until a repair, unless it is about one value.
   * @throws what the call throws
   */
  async run<T>(call: (store: BlobStore) => Promise<T>): Promise<T> {
    const store = this.get();
    try {
      return await call(store);
    } catch (error) {
      if (!isDamage(error)) this.fails(error);
      throw error;
    }
  }

  fails(error: unknown): void {
    this.trouble = error instanceof Error ? error.message : String(error);
  }

  /** What is opened next is what its place holds then, were it another disk. Never throws. */
  async letGo(): Promise<void> {
    const { store } = this;
    this.store = null;
    await store?.close().catch(() => undefined);
  }

  /** That it can be written. @throws what its store throws */
  async prove(): Promise<void> {
    await (await this.opened()).put(PROVED, new Uint8Array());
  }

  async set(): Promise<Buffer | null> {
    return (await this.opened()).get(SET);
  }
  async join(set: Uint8Array): Promise<void> {
    const store = await this.opened();
    if ((await store.get(SET)) === null) await store.put(SET, set);
  }
  /** Paths whose erasure this copy knows of. */
  async erased(): Promise<readonly string[]> {
    const keys = await (await this.opened()).list(ERASED);
    return keys.map((key) => key.slice(ERASED.length + 1));
  }
  /** Does again what a cut or an absence may have left undone. */
  async eraseAgain(paths: Iterable<string>): Promise<void> {
    const store = await this.opened();
    const known = new Set(await this.erased());
    for (const path of paths)
      if (!known.has(path) || (await store.list(path)).length > 0) await this.erase(path);
  }
  /** Remembered first, so that a copy that is cut between does it again. */
  async erase(path: string): Promise<number> {
    const store = await this.opened();
    await store.put(`${ERASED}/${path}`, new Uint8Array());
    return store.erase(path);
  }
  /** Something is stored there again. */
  async lift(path: string): Promise<void> {
    await (await this.opened()).erase(`${ERASED}/${path}`);
  }
}
