import { aeadOpen, aeadSealAfter, deriveKeyHandle, type KeyObject, type Secret } from '@kcm/crypto';
import { type Deadline, DecryptionFailed, KcmError, LIMITS, type Random } from '@kcm/kernel';
import {
  aadOf,
  aadPrefix,
  blobHeader,
  dataKeyInfo,
  SALT_BYTES,
  type Blob,
  type KeyIdentity,
} from './blob.js';
import type { Access, CachePolicy, Lease, Proof } from '../core/core-port.js';
import { DataKey } from './data-key.js';
import type { GcWitness, Witnessed } from '../leases/gc-witness.js';

const NO_CONTEXT = '{}';
/** Data keys of earlier salts kept for reading, per L3 version. */
const READING_KEYS_MAX = 256;

export interface HandleParts {
  readonly random: Random;
  readonly witness: GcWitness;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Sooner than `LIMITS.subkeyInvocationsMax`; never later. */
  readonly subkeyInvocationsMax?: number | undefined;
}

/**
 * One leased L3 version: the only place that encrypts or decrypts. It checks its lease before each
 * operation and again before it gives anything out, and is useless once dropped.
 */
export class L3Handle implements KeyIdentity {
  readonly uid: string;
  readonly key: string;
  readonly version: number;
  readonly witnessed: Witnessed = { alive: 0 };
  /** Protect operations left of the allocation; Core counts the uses of a version by these. */
  allowance = 0;
  term: number;
  epoch: number;
  grantId: string;
  access: Access;
  mayProtect: boolean;
  policy: CachePolicy;
  /** Of one data key. */
  readonly invocationsMax: number;
  /** True once used since the last proof: only such leases are renewed. */
  used = false;

  #l3: Secret | null;
  #deadline: Deadline;
  #writing: DataKey | null = null;
  readonly #reading = new Map<string, DataKey>();
  readonly #info: Buffer;
  readonly #aad: Buffer;
  readonly #aadWithoutContext: Buffer;

  constructor(
    lease: Lease,
    readonly tenant: string,
    readonly service: string,
    deadline: Deadline,
    private readonly parts: HandleParts,
  ) {
    this.uid = lease.uid;
    this.key = lease.key;
    this.version = lease.version;
    this.term = lease.term;
    this.epoch = lease.epoch;
    this.grantId = lease.grantId;
    this.access = lease.access;
    this.mayProtect = lease.mayProtect;
    this.policy = lease.policy;
    this.#l3 = lease.l3;
    this.#deadline = deadline;
    this.#info = dataKeyInfo(this);
    this.#aad = aadPrefix(this);
    this.#aadWithoutContext = aadOf(this.#aad, NO_CONTEXT);
    this.invocationsMax = Math.min(
      parts.subkeyInvocationsMax ?? Infinity,
      LIMITS.subkeyInvocationsMax,
    );
  }

  get live(): boolean {
    return this.#l3 !== null && this.#deadline.live;
  }

  get dropped(): boolean {
    return this.#l3 === null;
  }

  get deadline(): Deadline {
    return this.#deadline;
  }

  /** A newer proof of the same version: the lease runs from when that was asked for. */
  renew(proof: Proof, deadline: Deadline): void {
    this.#deadline = deadline;
    this.term = proof.term;
    this.epoch = proof.epoch;
    this.grantId = proof.grantId;
    this.access = proof.access;
    this.mayProtect = proof.mayProtect;
    this.used = false;
  }

  /**
   * One record (`blob.ts`). `context` in RFC 8785 form, null for none.
   * @throws KcmError lease_expired when the lease is over, before or after the cipher ran
   */
  seal(plaintext: Uint8Array, context: string | null): Buffer {
    const l3 = this.#assertLive();
    const now = this.parts.now();
    const dataKey = this.#writingKey(l3, now);
    const aad = this.#aadFor(context);
    const key = dataKey.use(now);
    const record = aeadSealAfter(dataKey.header, key, this.parts.random, plaintext, aad);
    this.used = true;
    this.#assertLive();
    return record;
  }

  /**
   * @throws DecryptionFailed whatever is wrong with the record or its identity
   * @throws KcmError lease_expired
   */
  open(blob: Blob, context: string | null): Buffer {
    const l3 = this.#assertLive();
    if (blob.key !== this.key || blob.version !== this.version) throw new DecryptionFailed();
    const now = this.parts.now();
    const key = this.#readingKey(l3, blob.salt, now);
    const plaintext = aeadOpen(key, blob.sealed, this.#aadFor(context));
    this.used = true;
    try {
      this.#assertLive();
    } catch (error) {
      plaintext.fill(0);
      throw error;
    }
    return plaintext;
  }

  /** Zeroes the L3 and lets go of every data key; their bytes go with the next collection. */
  drop(): void {
    this.#l3?.dispose();
    this.#l3 = null;
    this.#writing = null;
    this.#reading.clear();
  }

  /** Forgets data keys that the policy has ended. */
  sweep(): void {
    const now = this.parts.now();
    const spent = (key: DataKey) => key.spent(this.policy, now, this.invocationsMax);
    if (this.#writing !== null && spent(this.#writing)) this.#writing = null;
    for (const [salt, key] of this.#reading) if (spent(key)) this.#reading.delete(salt);
  }

  #assertLive(): Secret {
    if (this.#l3 === null || !this.#deadline.live) throw leaseOver();
    return this.#l3;
  }

  #aadFor(context: string | null): Buffer {
    return context === null || context === NO_CONTEXT
      ? this.#aadWithoutContext
      : aadOf(this.#aad, context);
  }

  #writingKey(l3: Secret, now: number): DataKey {
    const held = this.#writing;
    if (held !== null && !held.spent(this.policy, now, this.invocationsMax)) return held;
    const salt = this.parts.random.bytes(SALT_BYTES);
    const made = this.#derive(l3, salt, now);
    this.#writing = this.policy.off ? null : made;
    return made;
  }

  #readingKey(l3: Secret, salt: Buffer, now: number): KeyObject {
    if (this.policy.off) return this.#derive(l3, salt, now).use(now);
    const name = salt.toString('latin1');
    let held = this.#reading.get(name);
    if (held === undefined || held.spent(this.policy, now, this.invocationsMax)) {
      held = this.#derive(l3, salt, now);
      this.#reading.delete(name);
      this.#reading.set(name, held);
      if (this.#reading.size > READING_KEYS_MAX)
        this.#reading.delete(this.#reading.keys().next().value as string);
    }
    return held.use(now);
  }

  #derive(l3: Secret, salt: Uint8Array, now: number): DataKey {
    const key = deriveKeyHandle(l3, salt, this.#info);
    this.parts.witness.watch(key, this.witnessed);
    return new DataKey(key, blobHeader(this.key, this.version, salt), now);
  }
}

export const leaseOver = (): KcmError =>
  new KcmError('lease_expired', 'The lease has ended and Core has not renewed it.', {
    retryAfterSeconds: 1,
  });
