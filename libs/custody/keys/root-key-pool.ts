import { credentialsPath, sha256Hex } from '@kcm/crypto';
import type { RootKeyEntry } from '@kcm/domain';
import { KcmError, type Json } from '@kcm/kernel';
import type { KeystoreDriver, RootKey } from '@kcm/keystores';
import type { BlobStore } from '@kcm/vault';

export interface RootKeyPoolDeps {
  /** By the name of the keystore. @throws KcmError invalid_request for an unknown name */
  readonly driver: (name: string) => Promise<KeystoreDriver>;
  /** As it is on disk: credentials are sealed to Core's transport key, not by the barrier. */
  readonly vault: Pick<BlobStore, 'get'>;
  /** Opens what `sealCredentials` made. @throws DecryptionFailed · KcmError sealed */
  readonly openCredentials: (sealed: Buffer, tenant: string, rootKeyId: string) => Promise<Buffer>;
}

/** Handles to customers' root keys, opened when first used and kept until they change. */
export class RootKeyPool {
  readonly #open = new Map<string, { readonly as: string; readonly key: Promise<RootKey> }>();

  constructor(private readonly deps: RootKeyPoolDeps) {}

  /** @throws KcmError keystore_auth_failed · keystore_address_refused · invalid_request · sealed */
  get(tenant: string, entry: RootKeyEntry): Promise<RootKey> {
    const pinned = 'resolved' in entry ? entry.resolved : undefined;
    const as = JSON.stringify([entry.keystore, entry.operation, entry.credentialsDigest, pinned]);
    const slot = `${tenant}/${entry.rootKeyId}`;
    const known = this.#open.get(slot);
    if (known?.as === as) return known.key;
    if (known !== undefined) this.#close(slot);
    const key = this.#openKey(tenant, entry, pinned);
    this.#open.set(slot, { as, key });
    key.catch(() => {
      if (this.#open.get(slot)?.key === key) this.#open.delete(slot);
    });
    return key;
  }

  dropTenant(tenant: string): void {
    for (const slot of this.#open.keys()) if (slot.startsWith(`${tenant}/`)) this.#close(slot);
  }

  dropAll(): void {
    for (const slot of this.#open.keys()) this.#close(slot);
  }

  #close(slot: string): void {
    const known = this.#open.get(slot);
    this.#open.delete(slot);
    known?.key.then((key) => key.close()).catch(() => undefined);
  }

  async #openKey(tenant: string, entry: RootKeyEntry, pinned?: string): Promise<RootKey> {
    const driver = await this.deps.driver(entry.keystore);
    const credentials = await this.#credentials(tenant, entry);
    return driver.open(entry.reference, credentials, pinned);
  }

  async #credentials(
    tenant: string,
    { rootKeyId, credentialsDigest }: RootKeyEntry,
  ): Promise<{ readonly [field: string]: Json | undefined }> {
    if (credentialsDigest === null) return {};
    const sealed = await this.deps.vault.get(credentialsPath(tenant, rootKeyId));
    if (sealed === null || sha256Hex(sealed) !== credentialsDigest)
      throw refused('The credentials are not in the vault as they were recorded.');
    let plaintext: Buffer;
    try {
      plaintext = await this.deps.openCredentials(sealed, tenant, rootKeyId);
    } catch (error) {
      if (error instanceof KcmError && error.code === 'sealed') throw error;
      throw refused('The credentials cannot be opened.');
    }
    try {
      return JSON.parse(plaintext.toString('utf8')) as { readonly [field: string]: Json };
    } finally {
      plaintext.fill(0);
    }
  }
}

const refused = (detail: string) => new KcmError('keystore_auth_failed', detail, { step: 'auth' });
