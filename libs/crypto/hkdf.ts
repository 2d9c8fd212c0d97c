import { ownMemory } from '@kcm/kernel';
import { hmacSha256 } from './hmac.js';
import { Secret } from './secret.js';

const HASH_BYTES = 32;
const BLOCKS_MAX = 255;
/** Counter of the first block of the expansion, which is the only one of a key (RFC 5869 §2.3). */
const FIRST = Buffer.of(1);

/**
 * HKDF-SHA256, extract and expand (RFC 5869). `length` in bytes.
 * @throws RangeError beyond 8160 bytes (§2.3)
 */
export const hkdf = (ikm: Secret, salt: Uint8Array, info: Uint8Array, length = 32): Secret =>
  Secret.own(hkdfBytes(ikm, salt, info, length));

/**
 * The same for who needs the bytes at once and overwrites them: memory of their own. All that the
 * key touches on the way is zeroed; `hkdfSync` would keep it in a handle until a collection.
 */
export function hkdfBytes(
  ikm: Secret,
  salt: Uint8Array,
  info: Uint8Array,
  length = HASH_BYTES,
): Buffer {
  const blocks = Math.ceil(length / HASH_BYTES);
  if (blocks > BLOCKS_MAX) throw new RangeError('HKDF-SHA256 gives at most 8160 bytes');
  const prk = ikm.use((bytes) => hmacSha256(salt, bytes));
  const first = hmacSha256(prk, info, FIRST);
  const key = length === HASH_BYTES ? first : expanded(prk, info, first, length);
  prk.fill(0);
  return key;
}

/** `first` is overwritten. */
function expanded(prk: Buffer, info: Uint8Array, first: Buffer, length: number): Buffer {
  const key = ownMemory(length);
  let block = first;
  for (let at = 0; at < length; at += HASH_BYTES) {
    block.copy(key, at);
    const next = hmacSha256(prk, block, info, Buffer.of(at / HASH_BYTES + 2));
    block.fill(0);
    block = next;
  }
  block.fill(0);
  return key;
}
