import { AEAD_OVERHEAD_BYTES, aeadOpen, aeadSeal, lp } from '@kcm/crypto';
import { KcmError, type Random } from '@kcm/kernel';
import type { Keyring } from './keyring.js';

const MAGIC = Buffer.from('KCMB\u0001', 'latin1');
const HEAD_BYTES = MAGIC.length + 4;

/**
 * What stands between every stored blob and the disk. A blob is bound to its region and path: moved
 * to another, or with any bit flipped, it is refused.
 */
export class Barrier {
  constructor(
    private readonly region: string,
    private readonly keyring: Keyring,
    private readonly random: Random,
  ) {}

  /** That it writes with. @throws KcmError sealed */
  get entry(): number {
    return this.keyring.newest;
  }

  /** "KCMB" ‖ version(1) ‖ keyring entry (u32 big-endian) ‖ iv ‖ ciphertext ‖ tag. */
  seal(path: string, bytes: Uint8Array): Buffer {
    const entry = this.keyring.newest;
    const head = Buffer.concat([MAGIC, Buffer.alloc(4)]);
    head.writeUInt32BE(entry, MAGIC.length);
    const key = this.keyring.key(entry)!;
    return Buffer.concat([head, aeadSeal(key, this.random, bytes, this.#aad(path, head))]);
  }

  /** @throws KcmError integrity, naming the path */
  open(path: string, blob: Uint8Array): Buffer {
    const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
    const head = bytes.subarray(0, HEAD_BYTES);
    if (bytes.length < HEAD_BYTES + AEAD_OVERHEAD_BYTES || !head.subarray(0, 5).equals(MAGIC))
      throw damaged(path);
    const key = this.keyring.key(head.readUInt32BE(MAGIC.length));
    if (key === null) throw damaged(path);
    try {
      return aeadOpen(key, bytes.subarray(HEAD_BYTES), this.#aad(path, head));
    } catch {
      throw damaged(path);
    }
  }

  #aad(path: string, head: Uint8Array): Buffer {
    return lp('kcm/barrier/v1', this.region, path, head);
  }
}

/** The entry of the keyring that a blob names; null: it is not behind the barrier. */
export function entryOf(blob: Buffer): number | null {
  const behind = blob.length >= HEAD_BYTES && blob.subarray(0, MAGIC.length).equals(MAGIC);
  return behind ? blob.readUInt32BE(MAGIC.length) : null;
}

const damaged = (path: string): KcmError =>
  new KcmError('integrity', `The blob at ${path} is damaged or not its own.`);
