import {
  aeadOpen,
  aeadSeal,
  commitmentOf,
  constantTimeEqual,
  hkdf,
  Secret,
  sha256Hex,
} from '@kcm/crypto';
import type { KeyVersion, WrappedVersion } from '@kcm/domain';
import { DecryptionFailed, KcmError, type Random } from '@kcm/kernel';
import type { Binding, WrappedSeed } from '@kcm/keystores';
import type { BlobStore } from '@kcm/vault';
import { packBlob, unpackBlob } from './blob.js';
import {
  blobPath,
  committed,
  type KeyIdentity,
  l2Aad,
  l2Info,
  l3Aad,
  type Parent,
  tekPath,
} from './key-identity.js';
import type { Called } from '../calls/keystore-calls.js';

const KEY_BYTES = 32;
const NO_SALT = Buffer.alloc(0);

/** What was recorded of a key version when it was wrapped. */
export type Recorded = Pick<KeyVersion, 'wrappedBy' | 'digest' | 'commitment'>;
export type Wrap = (seed: Buffer, binding: Binding) => Promise<Called<WrappedSeed>>;
export type Unwrap = (wrapped: Buffer, binding: Binding) => Promise<Called<Buffer>>;

/**
 * L1 → L2 → L3 (architecture §1). Both stores stand behind the barrier. Material is durable in the
 * vault before its event can be recorded; a blob that was never recorded is never opened.
 */
export class Hierarchy {
  constructor(
    /** Wrapped keys. */
    private readonly vault: BlobStore,
    /** TEKs: `tek/{tenant}`, which backups of the vault do not hold. */
    private readonly erasure: BlobStore,
    private readonly random: Random,
  ) {}

  /**
   * A new L2 version from a fresh seed under the customer's root key. Only the first one makes the
   * tenant's erasure key: a tenant that lost it, or was shredded, gets none by a rotation, which is
   * answered as `integrity` and asks nobody. The caller disposes `l2`.
   * @throws KcmError sealed · the stores' errors
   */
  async createL2(
    identity: KeyIdentity,
    rootKeyId: string,
    wrap: Wrap,
  ): Promise<Called<{ readonly l2: Secret; readonly version: WrappedVersion }>> {
    const first = identity.version === 1;
    if (!first && (await this.erasure.get(tekPath(identity.tenant))) === null)
      return damaged('The erasure key of the tenant is gone.');
    using seed = Secret.own(this.random.bytes(KEY_BYTES));
    // Lent across the call: the driver needs the bytes until the keystore has answered.
    const called = await seed.use((bytes) => wrap(bytes, bindingOf(identity)));
    if (!called.ok) return called;
    const { bytes: wrapped, keyVersion } = called.value;
    const wrappedBy: Parent = { id: rootKeyId, version: keyVersion };
    const digest = sha256Hex(wrapped);
    const aad = l2Aad(identity, wrappedBy);
    using tek = await this.#tek(identity.tenant, first ? 'createIfAbsent' : 'mustExist');
    const body = aeadSeal(tek, this.random, wrapped, aad);
    await this.vault.put(blobPath('l2', identity, digest), packBlob(aad, body));
    const l2 = hkdf(seed, NO_SALT, l2Info(identity));
    const commitment = commitmentOf(l2, committed('L2', identity));
    return { ...called, value: { l2, version: { wrappedBy, digest, commitment } } };
  }

  /**
   * Only by a live unwrap of the customer's root key. What is wrong with the blob itself is
   * answered as `integrity`. The caller disposes the value.
   * @throws KcmError sealed · the stores' errors
   */
  async openL2(identity: KeyIdentity, recorded: Recorded, unwrap: Unwrap): Promise<Called<Secret>> {
    const wrapped = await this.#wrappedSeed(identity, recorded);
    if (wrapped === null)
      return damaged(`The blob of ${named(identity)} is missing or not its own.`);
    const called = await unwrap(wrapped, bindingOf(identity));
    if (!called.ok) return called;
    using seed = Secret.own(called.value);
    const l2 = hkdf(seed, NO_SALT, l2Info(identity));
    if (constantTimeEqual(commitmentOf(l2, committed('L2', identity)), recorded.commitment))
      return { ...called, value: l2 };
    l2.dispose();
    const { callId, sent, providerRequestId } = called;
    return {
      ...damaged(`The unwrapped seed gives another key than was recorded for ${named(identity)}.`),
      callId,
      sent,
      providerRequestId,
    };
  }

  /**
   * A new L3 under an opened L2. The caller disposes `l3`. @throws KcmError sealed · the vault's
   */
  async createL3(
    identity: KeyIdentity,
    service: string,
    parent: Parent,
    l2: Secret,
  ): Promise<{ readonly l3: Secret; readonly version: WrappedVersion }> {
    const l3 = Secret.own(this.random.bytes(KEY_BYTES));
    try {
      const commitment = commitmentOf(l3, committed('L3', identity));
      const wrapped = await this.wrapL3(identity, service, parent, l2, l3);
      return { l3, version: { ...wrapped, commitment } };
    } catch (error) {
      l3.dispose();
      throw error;
    }
  }

  /**
   * An L3 that is there already, under an opened L2; what wrapped it before stays beside it until a
   * shred, for whoever has yet to hear of this. @throws KcmError sealed · the vault's errors
   */
  async wrapL3(
    identity: KeyIdentity,
    service: string,
    parent: Parent,
    l2: Secret,
    l3: Secret,
  ): Promise<Omit<WrappedVersion, 'commitment'>> {
    const aad = l3Aad(identity, service, parent);
    const body = l3.use((bytes) => aeadSeal(l2, this.random, bytes, aad));
    const digest = sha256Hex(body);
    await this.vault.put(blobPath('l3', identity, digest), packBlob(aad, body));
    return { wrappedBy: parent, digest };
  }

  /**
   * The caller disposes the answer.
   * @throws DecryptionFailed whatever is wrong with the blob · KcmError sealed, the vault's errors
   */
  async openL3(
    identity: KeyIdentity,
    service: string,
    recorded: Recorded,
    l2: Secret,
  ): Promise<Secret> {
    const aad = l3Aad(identity, service, recorded.wrappedBy);
    const body = await this.#body('l3', identity, recorded.digest, aad);
    if (body === null || sha256Hex(body) !== recorded.digest) throw new DecryptionFailed();
    const l3 = Secret.own(aeadOpen(l2, body, aad));
    if (constantTimeEqual(commitmentOf(l3, committed('L3', identity)), recorded.commitment))
      return l3;
    l3.dispose();
    throw new DecryptionFailed();
  }

  /** L1.wrap(S), or null where vault, erasure key, identity or digest do not give it. */
  async #wrappedSeed(identity: KeyIdentity, recorded: Recorded): Promise<Buffer | null> {
    const aad = l2Aad(identity, recorded.wrappedBy);
    try {
      const body = await this.#body('l2', identity, recorded.digest, aad);
      if (body === null) return null;
      using tek = await this.#tek(identity.tenant, 'mustExist');
      const wrapped = aeadOpen(tek, body, aad);
      return sha256Hex(wrapped) === recorded.digest ? wrapped : null;
    } catch (error) {
      if (error instanceof KcmError && BLOB_FAULTS.has(error.code)) return null;
      throw error;
    }
  }

  async #body(
    level: 'l2' | 'l3',
    identity: KeyIdentity,
    digest: string,
    header: Buffer,
  ): Promise<Buffer | null> {
    const blob = await this.vault.get(blobPath(level, identity, digest));
    return blob === null ? null : unpackBlob(blob, header);
  }

  /** Read each time and never kept: once erased, nothing in memory can stand in for it. */
  async #tek(tenant: string, need: 'createIfAbsent' | 'mustExist'): Promise<Secret> {
    const path = tekPath(tenant);
    if (need === 'createIfAbsent' && (await this.erasure.get(path)) === null) {
      using fresh = Secret.own(this.random.bytes(KEY_BYTES));
      await fresh.use((bytes) => this.erasure.putIfAbsent(path, bytes));
    }
    const bytes = await this.erasure.get(path);
    if (bytes === null || bytes.length !== KEY_BYTES)
      throw new KcmError('integrity', `There is no erasure key of tenant ${tenant}.`);
    return Secret.own(bytes);
  }
}

const BLOB_FAULTS: ReadonlySet<string> = new Set(['integrity', 'decryption_failed']);

const bindingOf = ({ tenant, key, version }: KeyIdentity): Binding => ({ tenant, key, version });

const named = ({ key, version }: KeyIdentity): string =>
  `version ${version} of the tenant key ${key}`;

const damaged = (detail: string) =>
  ({
    ok: false,
    cause: 'integrity',
    code: 'integrity',
    step: 'state',
    detail,
    providerRequestId: null,
    callId: null,
    sent: null,
  }) as const;
