import { aeadOpen, aeadSeal, commitmentOf, hkdf, lp, Secret } from '@kcm/crypto';
import { KcmError, ownMemory, type Random } from '@kcm/kernel';

const MAGIC = Buffer.from('KCMK\u0001', 'latin1');
const KEY_BYTES = 32;
const ENTRY_BYTES = 4 + KEY_BYTES;
const CHECK_BYTES = 16;
const HEAD_BYTES = MAGIC.length + CHECK_BYTES;

/** The MasterKey at hand is not the one that the keyring was sealed under. */
export class WrongMasterKey extends Error {}

/** A keyring belongs to one region and one set of shares. */
export interface KeyringIdentity {
  readonly region: string;
  readonly setId: string;
}
export const keyringPath = (setId: string): string => `sys/keyring/${setId}`;

/** Numbered barrier keys: the newest writes, every one reads. */
export class Keyring implements Disposable {
  private constructor(private readonly entries: Map<number, Secret>) {}

  static create(random: Random): Keyring {
    return new Keyring(new Map([[1, Secret.own(random.bytes(KEY_BYTES))]]));
  }

  /** Of its own, with one more entry. The caller stores it before it takes the place of this. */
  rotated(random: Random): Keyring {
    const next = this.newest + 1;
    const copies = [...this.entries].map(
      ([number, key]) => [number, key.use((bytes) => Secret.copy(bytes))] as const,
    );
    return new Keyring(new Map([...copies, [next, Secret.own(random.bytes(KEY_BYTES))]]));
  }

  /** Takes over the entries of another one that holds these and more. */
  adopt(other: Keyring): void {
    this.#assertOpen();
    for (const [number, key] of other.entries)
      if (!this.entries.has(number))
        this.entries.set(
          number,
          key.use((bytes) => Secret.copy(bytes)),
        );
  }

  /** @throws KcmError sealed after dispose */
  get newest(): number {
    this.#assertOpen();
    return Math.max(...this.entries.keys());
  }

  /** Borrowed. @throws KcmError sealed after dispose */
  key(entry: number): Secret | null {
    this.#assertOpen();
    return this.entries.get(entry) ?? null;
  }

  #assertOpen(): void {
    if (this.entries.size === 0) throw new KcmError('sealed', 'This region is sealed.');
  }

  /**
   * "KCMK" ‖ version(1) ‖ key check(16) ‖ AEAD under a key derived from the MasterKey. The check is
   * a commitment of the MasterKey: it tells a wrong key from a damaged keyring and nothing else.
   */
  seal(master: Secret, random: Random, identity: KeyringIdentity): Buffer {
    this.#assertOpen();
    const plain = ownMemory(this.entries.size * ENTRY_BYTES);
    let at = 0;
    for (const [number, key] of this.entries) {
      plain.writeUInt32BE(number, at);
      key.use((bytes) => bytes.copy(plain, at + 4));
      at += ENTRY_BYTES;
    }
    const head = Buffer.concat([MAGIC, checkOf(master, identity)]);
    using kek = wrappingKey(master, identity);
    const sealed = aeadSeal(kek, random, plain, aadOf(identity, head));
    plain.fill(0);
    return Buffer.concat([head, sealed]);
  }

  /** @throws WrongMasterKey; KcmError integrity when the keyring is damaged */
  static open(master: Secret, blob: Uint8Array, identity: KeyringIdentity): Keyring {
    const bytes = Buffer.from(blob);
    const head = bytes.subarray(0, HEAD_BYTES);
    if (bytes.length < HEAD_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC))
      throw damaged(identity);
    if (!head.subarray(MAGIC.length).equals(checkOf(master, identity)))
      throw new WrongMasterKey('the key check does not match');
    using kek = wrappingKey(master, identity);
    let plain: Buffer;
    try {
      plain = aeadOpen(kek, bytes.subarray(HEAD_BYTES), aadOf(identity, head));
    } catch {
      throw damaged(identity);
    }
    const entries = new Map<number, Secret>();
    for (let at = 0; at + ENTRY_BYTES <= plain.length; at += ENTRY_BYTES)
      entries.set(plain.readUInt32BE(at), Secret.copy(plain.subarray(at + 4, at + ENTRY_BYTES)));
    plain.fill(0);
    if (entries.size === 0) throw damaged(identity);
    return new Keyring(entries);
  }

  dispose(): void {
    for (const key of this.entries.values()) key.dispose();
    this.entries.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const checkOf = (master: Secret, { region, setId }: KeyringIdentity): Buffer =>
  Buffer.from(commitmentOf(master, lp('kcm/master/v1', region, setId)), 'hex');

const wrappingKey = (master: Secret, { region, setId }: KeyringIdentity): Secret =>
  hkdf(master, Buffer.alloc(0), lp('kcm/keyring-key/v1', region, setId));

const aadOf = ({ region, setId }: KeyringIdentity, head: Uint8Array): Buffer =>
  lp('kcm/keyring/v1', region, setId, head);

const damaged = ({ setId }: KeyringIdentity): KcmError =>
  new KcmError('integrity', `${keyringPath(setId)} is damaged.`);
