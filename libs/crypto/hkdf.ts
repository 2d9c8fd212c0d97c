import { hkdfSync } from 'node:crypto';
import { Secret } from './secret.js';

/** HKDF-SHA256, extract and expand (RFC 5869). `length` in bytes, at most 8160. */
export function hkdf(ikm: Secret, salt: Uint8Array, info: Uint8Array, length = 32): Secret {
  return ikm.use((bytes) => Secret.own(Buffer.from(hkdfSync('sha256', bytes, salt, info, length))));
}
