import { deriveKeyHandle, lp, type KeyObject, type Secret } from '@kcm/crypto';
import type { CachePolicy } from '../core/core-port.js';
import type { GcWitness, Witnessed } from '../leases/gc-witness.js';
import {
  aadOf,
  aadPrefix,
  blobHeader,
  SALT_BYTES,
  subkeyInfo,
  type KeyIdentity,
  type Purpose,
} from './blob.js';
import { Subkey } from './subkey.js';
import type { Random } from '@kcm/kernel';

const NO_CONTEXT = '{}';
/** Subkeys of earlier salts kept for reading. */
const READING_KEYS_MAX = 256;

export interface SubkeyParts {
  readonly random: Random;
  readonly witness: GcWitness;
  readonly witnessed: Witnessed;
  /** Of one subkey. */
  readonly invocationsMax: number;
}

/**
 * The subkeys of one L3 version for one purpose, as long as the tenant's policy keeps each, and what
 * is authenticated beside whatever they seal. `now`: monotonic milliseconds.
 */
export class Subkeys {
  #writing: Subkey | null = null;
  readonly #reading = new Map<string, Subkey>();
  readonly #info: Buffer;
  readonly #aad: Buffer;
  readonly #aadWithoutContext: Buffer;

  constructor(
    private readonly purpose: Purpose,
    private readonly of: KeyIdentity,
    private readonly parts: SubkeyParts,
  ) {
    this.#info = subkeyInfo(purpose, of);
    this.#aad = aadPrefix(purpose, of);
    this.#aadWithoutContext = aadOf(this.#aad, NO_CONTEXT);
  }

  writing(l3: Secret, policy: CachePolicy, now: number): Subkey {
    const held = this.#writing;
    if (held !== null && !held.spent(policy, now, this.parts.invocationsMax)) return held;
    const salt = this.parts.random.bytes(SALT_BYTES);
    const made = this.#derive(l3, salt, now);
    this.#writing = policy.off ? null : made;
    return made;
  }

  /** Counts one use. */
  reading(l3: Secret, policy: CachePolicy, salt: Buffer, now: number): KeyObject {
    if (policy.off) return this.#derive(l3, salt, now).use(now);
    const name = salt.toString('latin1');
    let held = this.#reading.get(name);
    if (held === undefined || held.spent(policy, now, this.parts.invocationsMax)) {
      held = this.#derive(l3, salt, now);
      this.#reading.delete(name);
      this.#reading.set(name, held);
      if (this.#reading.size > READING_KEYS_MAX)
        this.#reading.delete(this.#reading.keys().next().value as string);
    }
    return held.use(now);
  }

  /** `context` in RFC 8785 form, null for none; `id` of a data key. */
  aadFor(context: string | null, id: Buffer | null): Buffer {
    const aad =
      context === null || context === NO_CONTEXT
        ? this.#aadWithoutContext
        : aadOf(this.#aad, context);
    return id === null ? aad : Buffer.concat([aad, lp(id)]);
  }

  /** Forgets those that the policy has ended. */
  sweep(policy: CachePolicy, now: number): void {
    const spent = (key: Subkey) => key.spent(policy, now, this.parts.invocationsMax);
    if (this.#writing !== null && spent(this.#writing)) this.#writing = null;
    for (const [salt, key] of this.#reading) if (spent(key)) this.#reading.delete(salt);
  }

  clear(): void {
    this.#writing = null;
    this.#reading.clear();
  }

  #derive(l3: Secret, salt: Uint8Array, now: number): Subkey {
    const key = deriveKeyHandle(l3, salt, this.#info);
    this.parts.witness.watch(key, this.parts.witnessed);
    return new Subkey(key, blobHeader(this.purpose, this.of.key, this.of.version, salt), now);
  }
}
