import { hkdfSync } from 'node:crypto';
import { hmacSha256 } from './hmac.js';
import { Secret } from './secret.js';

const HASH_BYTES = 32;
/** Counter of the first, and here only, block of the expansion (RFC 5869 §2.3). */
const FIRST_BLOCK = Buffer.of(1);

/**
 * HKDF-SHA256, extract and expand (RFC 5869). `length` in bytes.
 * @throws RangeError beyond 8160 bytes (§2.3)
 */
export function hkdf(ikm: Secret, salt: Uint8Array, info: Uint8Array, length = 32): Secret {
  return ikm.use((bytes) =>
    length === HASH_BYTES
      ? oneBlock(bytes, salt, info)
      : Secret.own(Buffer.from(hkdfSync('sha256', bytes, salt, info, length))),
  );
}

/** The same for one block, without a handle on the way: a data key is made on a hot path. */
function oneBlock(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array): Secret {
  const prk = hmacSha256(salt, ikm);
  const block = hmacSha256(prk, info, FIRST_BLOCK);
  prk.fill(0);
  return Secret.own(block);
}
