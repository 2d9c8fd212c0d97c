import { ownMemory } from '@kcm/kernel';
import { hmacSha256 } from './hmac.js';
import { Secret } from './secret.js';

const HASH_BYTES = 32;
const BLOCKS_MAX = 255;
const NOTHING = Buffer.alloc(0);

/**
 * HKDF-SHA256, extract and expand (RFC 5869), all of it in memory that is zeroed: `hkdfSync` would
 * keep the key in a handle until a garbage collection. `length` in bytes.
 * @throws RangeError beyond 8160 bytes (§2.3)
 */
export function hkdf(ikm: Secret, salt: Uint8Array, info: Uint8Array, length = 32): Secret {
  const blocks = Math.ceil(length / HASH_BYTES);
  if (blocks > BLOCKS_MAX) throw new RangeError('HKDF-SHA256 gives at most 8160 bytes');
  const prk = ikm.use((bytes) => hmacSha256(salt, bytes));
  const okm = ownMemory(blocks * HASH_BYTES);
  let block: Buffer = NOTHING;
  for (let count = 1; count <= blocks; count += 1) {
    const next = hmacSha256(prk, block, info, Buffer.of(count));
    block.fill(0);
    block = next;
    block.copy(okm, (count - 1) * HASH_BYTES);
  }
  for (const own of [prk, block]) own.fill(0);
  const key = Secret.copy(okm.subarray(0, length));
  okm.fill(0);
  return key;
}
