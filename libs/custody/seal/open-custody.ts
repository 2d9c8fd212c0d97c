import { sign } from 'node:crypto';
import {
  ed25519PrivateFromSeed,
  hpkeOpen,
  kidOf,
  signJws,
  signToken,
  type TokenClaims,
} from '@kcm/crypto';
import type { RegionKeys } from '@kcm/domain';
import { KcmError, type Clock, type Json, type Random } from '@kcm/kernel';
import { type Checkpoint, checkpointText, originOf, signNote } from '@kcm/transparency';
import { Barrier } from './barrier.js';
import type { Keyring } from './keyring.js';
import { CertificateAuthority } from '../pki.js';
import { disposeRegionSecrets, type RegionSecrets } from './region-secrets.js';

const RECEIPT_TYPE = 'kcm-receipt+jws';

/**
 * What an unsealed region can do. Ends with the seal: then every member throws KcmError sealed, for
 * whoever still holds it.
 */
export class OpenCustody implements Disposable {
  readonly barrier: Barrier;
  readonly authority: CertificateAuthority;
  #sealed = false;

  /** Takes ownership of keyring and secrets. */
  constructor(
    readonly region: string,
    readonly keys: RegionKeys,
    private readonly keyring: Keyring,
    private readonly secrets: RegionSecrets,
    private readonly random: Random,
    private readonly clock: Clock,
  ) {
    this.barrier = new Barrier(region, keyring, random);
    this.authority = new CertificateAuthority(keys.ca, secrets.ca, random, clock);
  }

  /** Compact JWS, EdDSA, by the region's signing key; header {alg, kid, typ}. */
  signReceipt(payload: Json): string {
    this.#assertOpen();
    const kid = kidOf(Buffer.from(this.keys.signing, 'base64url'));
    const header = { kid, typ: RECEIPT_TYPE };
    return signJws(ed25519PrivateFromSeed(this.secrets.signing), header, payload);
  }

  /**
   * A signed checkpoint of this region's log (C2SP), by the region's signing key under the log's
   * name. A note has line feeds and a JWS has none, so that neither can be taken for the other.
   * `extensions`: lines that say more (C2SP), as those of a backup's manifest.
   */
  signCheckpoint(
    of: Omit<Checkpoint, 'origin'> & { readonly ledger: string },
    extensions: readonly string[] = [],
  ): string {
    this.#assertOpen();
    const origin = originOf(this.region, of.ledger);
    const publicKey = Buffer.from(this.keys.signing, 'base64url');
    const key = ed25519PrivateFromSeed(this.secrets.signing);
    const text = checkpointText({ origin, size: of.size, root: of.root }, extensions);
    return signNote(text, { name: origin, publicKey }, (message) => sign(null, message, key));
  }

  /** An access token by the region's issuer key, issued now. */
  async signToken(claims: TokenClaims): Promise<string> {
    this.#assertOpen();
    const key = ed25519PrivateFromSeed(this.secrets.issuer);
    return signToken(key, this.region, claims, this.clock.wallMs());
  }

  /**
   * Opens what was sealed (HPKE) to the region's transport key: keystore credentials.
   * @throws DecryptionFailed; KcmError sealed
   */
  async openTransport(info: Uint8Array, aad: Uint8Array, blob: Uint8Array): Promise<Buffer> {
    this.#assertOpen();
    return hpkeOpen(this.secrets.transport, info, aad, blob);
  }

  /** Newest entry of the keyring. @throws KcmError sealed */
  get entry(): number {
    return this.keyring.newest;
  }

  /** Lends the keyring, to be sealed under another MasterKey too. @throws KcmError sealed */
  async sealAnew<T>(seal: (keyring: Keyring) => Promise<T>): Promise<T> {
    this.#assertOpen();
    return seal(this.keyring);
  }

  /** Takes over what another keyring of this region has besides. @throws KcmError sealed */
  adopt(keyring: Keyring): void {
    this.keyring.adopt(keyring);
  }

  /**
   * One more entry, with which the barrier writes once `store` has it on disk.
   * @returns its number · @throws KcmError sealed, also when the seal came after `store`
   */
  async rotate(store: (keyring: Keyring) => Promise<void>): Promise<number> {
    using next = this.keyring.rotated(this.random);
    await store(next);
    this.keyring.adopt(next);
    return next.newest;
  }

  #assertOpen(): void {
    if (this.#sealed) throw new KcmError('sealed', 'This region is sealed.');
  }

  dispose(): void {
    this.#sealed = true;
    this.keyring.dispose();
    disposeRegionSecrets(this.secrets);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
