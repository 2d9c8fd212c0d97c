import { KcmError, type OneOrMore, type Random, Turns } from '@kcm/kernel';
import { type BlobStore, blobKey, type Copies, type CopyState } from '@kcm/vault';
import { Copy, isDamage, OWN, type Place } from './copy.js';

export type { Place } from './copy.js';

/**
 * One blob store in several places. What is written is in each of them, or is not acknowledged; what
 * is read comes from the first that has it whole, and whoever lacks it gets it. What is erased is
 * gone from each of them, or the erasure is not confirmed: a copy that was away meanwhile is cleaned
 * when it is back, before it answers, and never brings anything back.
 * @throws KcmError what opening threw, when no place can be opened
 */
export async function openReplicated(places: OneOrMore<Place>, random: Random): Promise<Copies> {
  const store = new ReplicatedBlobStore(
    places.map((place) => new Copy(place)),
    random,
  );
  const failures = await store.begin();
  if (store.copies.some(({ away }) => away === null)) return store;
  await store.close();
  throw failures[0];
}

class ReplicatedBlobStore implements Copies {
  /** Writes and repairs one by one: a repair must not bring back what is erased meanwhile. */
  readonly #turns = new Turns();
  readonly #erased = new Set<string>();
  /** One that takes part lacks a value, or has it damaged. */
  #uneven = false;
  #closed = false;

  constructor(
    private readonly all: readonly Copy[],
    private readonly random: Random,
  ) {}

  get copies(): readonly CopyState[] {
    return this.all.map(({ place: { name }, trouble }) => ({ name, away: trouble }));
  }

  /** @returns why each that is away is */
  begin(): Promise<readonly unknown[]> {
    return this.#turns.take(() => this.#gather());
  }

  async prove(): Promise<void> {
    await this.#turns.take(async () => {
      if (this.#closed) return;
      for (const copy of this.all)
        if (copy.trouble === null) await copy.run(() => copy.prove()).catch(() => undefined);
      await this.#mend();
    });
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#turns.take(async () => this.#put(outside(key), bytes));
  }

  putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#turns.take(async () => {
      const path = outside(key);
      if ((await this.#held(path)) !== null) return false;
      await this.#put(path, bytes);
      return true;
    });
  }

  replace(key: string, expected: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    return this.#turns.take(async () => {
      const path = outside(key);
      const held = await this.#held(path);
      if (this.#isErased(path) || held?.equals(expected) !== true) return false;
      await this.#put(path, bytes);
      return true;
    });
  }

  async get(key: string): Promise<Buffer | null> {
    const path = outside(key);
    this.#assertOpen();
    if (this.#isErased(path)) return null;
    if (this.all.every(({ trouble }) => trouble !== null)) await this.prove();
    let failure: unknown = null;
    let uneven = false;
    for (const copy of this.all)
      try {
        const bytes = await copy.run((store) => store.get(path));
        if (bytes !== null) {
          if (uneven) this.#levelSoon();
          return bytes;
        }
        uneven = true;
      } catch (error) {
        failure ??= error;
        uneven ||= isDamage(error);
      }
    // One that cannot answer may have it: nothing is said to be absent that is only not seen.
    if (failure !== null) throw failure;
    return null;
  }

  async list(prefix: string): Promise<readonly string[]> {
    this.#assertOpen();
    const keys = new Set<string>();
    let failure: unknown = null;
    let answered = false;
    for (const copy of this.all)
      try {
        for (const key of await copy.run((store) => store.list(prefix))) keys.add(key);
        answered = true;
      } catch (error) {
        failure ??= error;
      }
    if (!answered) throw failure;
    const known = [...keys].filter((key) => !isOwn(key) && !this.#isErased(key));
    return known.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  erase(prefix: string): Promise<number> {
    return this.#turns.take(async () => {
      const path = outside(prefix);
      this.#assertOpen();
      await this.#mend();
      this.#erased.add(path);
      let count = 0;
      let failure: unknown = null;
      for (const copy of this.all)
        try {
          count = Math.max(count, await copy.run(() => copy.erase(path)));
        } catch (error) {
          failure ??= error;
        }
      if (failure !== null) throw failure;
      return count;
    });
  }

  copyInto(target: BlobStore): Promise<void> {
    return this.#turns.take(async () => {
      const copy = this.all.find(({ trouble }) => trouble === null) ?? this.all[0]!;
      await copy.run(async (store) => {
        for (const key of await store.list('')) {
          const bytes = await store.get(key);
          if (bytes !== null) await target.put(key, bytes);
        }
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turns.take(async () => {
      for (const { store } of this.all) await store?.close();
    });
  }

  async #put(path: string, bytes: Uint8Array): Promise<void> {
    const everyone = await this.#everyone();
    for (const erased of upFrom(path).filter((each) => this.#erased.has(each))) {
      for (const copy of everyone) await copy.run(() => copy.lift(erased));
      this.#erased.delete(erased);
    }
    await Promise.all(everyone.map((copy) => copy.run((store) => store.put(path, bytes))));
  }

  /**
   * Of the first that has something: one that lost a value while it was open is no reason to write
   * over what another one still has. @throws KcmError: one is away, or has it damaged
   */
  async #held(path: string): Promise<Buffer | null> {
    const everyone = await this.#everyone();
    const values: (Buffer | null)[] = [];
    for (const copy of everyone)
      try {
        values.push(await copy.run((store) => store.get(path)));
      } catch (error) {
        this.#uneven ||= isDamage(error);
        throw error;
      }
    const held = values.find((value) => value !== null) ?? null;
    if (held !== null) this.#uneven ||= values.some((value) => value?.equals(held) !== true);
    return held;
  }

  /** All of them, in the same state. @throws KcmError: one is away */
  async #everyone(): Promise<readonly Copy[]> {
    this.#assertOpen();
    await this.#mend();
    for (const copy of this.all) copy.get();
    return this.all;
  }

  async #mend(): Promise<void> {
    if (this.#uneven || this.all.some(({ trouble }) => trouble !== null)) await this.#gather();
  }
  #levelSoon(): void {
    if (this.#uneven) return;
    this.#uneven = true;
    void this.prove();
  }

  /**
   * Opens who can be opened, erases where that was missed, and gives each what it lacks. Whoever
   * fails at it is away. @returns why each that is away is
   */
  async #gather(): Promise<readonly unknown[]> {
    this.#uneven = false;
    const failures = new Map<Copy, unknown>();
    const each = async (act: (copy: Copy) => Promise<void>): Promise<void> => {
      for (const copy of this.all)
        if (!failures.has(copy))
          try {
            await act(copy);
          } catch (error) {
            failures.set(copy, error);
          }
    };
    let set: Buffer | null = null;
    await each(async (copy) => {
      const own = await copy.set();
      if (own !== null && set !== null && !own.equals(set))
        throw new KcmError('integrity', 'it is a copy of another erasure store');
      set ??= own;
      for (const path of await copy.erased()) this.#erased.add(path);
    });
    const ours = set ?? this.random.bytes(16);
    await each(async (copy) => {
      await copy.join(ours);
      await copy.eraseAgain(this.#erased);
    });
    const keys = new Set<string>();
    await each(async (copy) => {
      for (const key of await (await copy.opened()).list('')) if (!isOwn(key)) keys.add(key);
    });
    for (const key of keys) await this.#level(key, each);
    await each((copy) => copy.prove());
    for (const copy of this.all) {
      copy.trouble = null;
      if (!failures.has(copy)) continue;
      copy.fails(failures.get(copy));
      await copy.letGo();
    }
    return [...failures.values()];
  }

  /** The first that has the value whole gives it to the others; where none has, each keeps its own. */
  async #level(
    key: string,
    each: (act: (copy: Copy) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const values = new Map<Copy, Buffer | null>();
    await each(async (copy) => {
      const store = await copy.opened();
      const value = await store.get(key).catch((error: unknown) => {
        if (isDamage(error)) return null;
        throw error;
      });
      values.set(copy, value);
    });
    const whole = [...values.values()].find((value) => value !== null);
    if (whole === undefined) return;
    await each(async (copy) => {
      const value = values.get(copy);
      if (!value?.equals(whole)) await (await copy.opened()).put(key, whole);
    });
  }

  #isErased(path: string): boolean {
    return upFrom(path).some((each) => this.#erased.has(each));
  }

  #assertOpen(): void {
    if (this.#closed) throw new KcmError('ledger_unavailable', 'The store is closed.');
  }
}

/** The path itself, and each that it lies under: each is asked for at every read. */
const upFrom = (path: string): readonly string[] =>
  path.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'));
const isOwn = (key: string): boolean => upFrom(key)[0] === OWN;

/** @throws RangeError: what the copies keep for themselves is nobody else's */
function outside(key: string): string {
  if (isOwn(blobKey(key))) throw new RangeError(`kept for the copies themselves: ${key}`);
  return key;
}
