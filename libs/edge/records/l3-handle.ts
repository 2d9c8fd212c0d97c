import { aeadOpen, aeadSealAfter, type Secret } from '@kcm/crypto';
import {
  type Code,
  type Deadline,
  DecryptionFailed,
  KcmError,
  LIMITS,
  type Random,
} from '@kcm/kernel';
import type { Blob, KeyIdentity } from './blob.js';
import type { Access, CachePolicy, Lease, LeasedState, Proof } from '../core/core-port.js';
import type { GcWitness, Witnessed } from '../leases/gc-witness.js';
import { keyRefused, readOnly } from '../leases/lease-refusals.js';
import { Subkeys, type SubkeyParts } from './subkeys.js';

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
  /** The grant that the allowance is of; null: nothing may be protected under any. */
  allowedBy: string | null = null;
  term: number;
  epoch: number;
  grantId: string;
  access: Access;
  state: LeasedState;
  replaced: boolean;
  mayProtect: boolean;
  mayProcess: boolean;
  mayExport: boolean;
  policy: CachePolicy;
  /** Of one subkey. */
  readonly invocationsMax: number;
  /** True once used since the last proof: only such leases are renewed. */
  used = false;

  #l3: Secret | null;
  #deadline: Deadline;
  readonly #records: Subkeys;
  #dataKeys: Subkeys | null = null;

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
    this.state = lease.state;
    this.replaced = lease.replaced;
    this.mayProtect = lease.mayProtect;
    this.mayProcess = lease.mayProcess;
    this.mayExport = lease.mayExport;
    this.policy = lease.policy;
    this.#l3 = lease.l3;
    this.#deadline = deadline;
    this.invocationsMax = Math.min(
      parts.subkeyInvocationsMax ?? Infinity,
      LIMITS.subkeyInvocationsMax,
    );
    this.#records = new Subkeys('record', this, this.#subkeyParts());
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

  /** Why nothing more is protected for this service: no version that is active took over. */
  get stopped(): Code | null {
    if (this.state === 'active' || this.replaced) return null;
    return this.state === 'compromised' ? 'key_compromised' : 'key_not_active';
  }

  /** A newer proof of the same version: the lease runs from when that was asked for. */
  renew(proof: Proof, deadline: Deadline): void {
    this.#deadline = deadline;
    this.term = proof.term;
    this.epoch = proof.epoch;
    this.grantId = proof.grantId;
    this.access = proof.access;
    this.state = proof.state;
    this.replaced = proof.replaced;
    this.mayProtect = proof.mayProtect;
    this.mayProcess = proof.mayProcess;
    this.mayExport = proof.mayExport;
    this.used = false;
  }

  /**
   * One record (`blob.ts`), or the data key of that id. `context` in RFC 8785 form, null for none.
   * @throws KcmError lease_expired when the lease is over, before or after the cipher ran · why
   * the version protects nothing
   */
  seal(plaintext: Uint8Array, context: string | null, id: Buffer | null = null): Buffer {
    const l3 = this.#assertLive();
    if (!this.mayProtect) throw this.#unprotecting();
    const now = this.parts.now();
    const subkeys = this.#subkeysOf(id);
    const subkey = subkeys.writing(l3, this.policy, now);
    const aad = subkeys.aadFor(context, id);
    const header = id === null ? subkey.header : Buffer.concat([subkey.header, id]);
    const sealed = aeadSealAfter(header, subkey.use(now), this.parts.random, plaintext, aad);
    this.used = true;
    this.#assertLive();
    return sealed;
  }

  /** @throws as `openForRewrap` · KcmError key_compromised */
  open(blob: Blob, context: string | null): Buffer {
    if (!this.mayProcess) throw keyRefused('key_compromised');
    return this.openForRewrap(blob, context);
  }

  /**
   * To be sealed anew under another version, and shown to nobody.
   * @throws DecryptionFailed whatever is wrong with the record or data key, or its identity
   * @throws KcmError lease_expired
   */
  openForRewrap(blob: Blob, context: string | null): Buffer {
    const l3 = this.#assertLive();
    if (blob.key !== this.key || blob.version !== this.version) throw new DecryptionFailed();
    const now = this.parts.now();
    const subkeys = this.#subkeysOf(blob.id);
    const key = subkeys.reading(l3, this.policy, blob.salt, now);
    const plaintext = aeadOpen(key, blob.sealed, subkeys.aadFor(context, blob.id));
    this.used = true;
    try {
      this.#assertLive();
    } catch (error) {
      plaintext.fill(0);
      throw error;
    }
    return plaintext;
  }

  /** Zeroes the L3 and lets go of every subkey; their bytes go with the next collection. */
  drop(): void {
    this.#l3?.dispose();
    this.#l3 = null;
    this.#records.clear();
    this.#dataKeys?.clear();
  }

  /** Forgets subkeys that the policy has ended. */
  sweep(): void {
    const now = this.parts.now();
    this.#records.sweep(this.policy, now);
    this.#dataKeys?.sweep(this.policy, now);
  }

  #assertLive(): Secret {
    if (this.#l3 === null || !this.#deadline.live) throw leaseOver();
    return this.#l3;
  }

  #unprotecting(): KcmError {
    if (this.access === 'readOnly') return readOnly();
    return this.stopped === null ? leaseOver() : keyRefused(this.stopped);
  }

  #subkeysOf(id: Buffer | null): Subkeys {
    if (id === null) return this.#records;
    return (this.#dataKeys ??= new Subkeys('dataKey', this, this.#subkeyParts()));
  }

  #subkeyParts(): SubkeyParts {
    return { ...this.parts, witnessed: this.witnessed, invocationsMax: this.invocationsMax };
  }
}

export const leaseOver = (): KcmError =>
  new KcmError('lease_expired', 'The lease has ended and Core has not renewed it.', {
    retryAfterSeconds: 1,
  });
