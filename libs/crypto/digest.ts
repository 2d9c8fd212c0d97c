import { createHash, timingSafeEqual } from 'node:crypto';
import { hmacSha256 } from './hmac.js';
import { Secret } from './secret.js';

/** SHA-256 (FIPS 180-4) in lower-case hex; text is taken as UTF-8. */
export const sha256Hex = (bytes: string | Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

/** HMAC-SHA256 (RFC 2104) in lower-case hex; text is taken as UTF-8. */
export function hmacHex(key: Secret | Uint8Array, bytes: string | Uint8Array): string {
  const text = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
  const hmac = (key: Uint8Array) => hmacSha256(key, text).toString('hex');
  return key instanceof Secret ? key.use(hmac) : hmac(key);
}

/** Compares without telling by its time where two values differ; lengths are not hidden. */
export function constantTimeEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const left = typeof a === 'string' ? Buffer.from(a, 'utf8') : a;
  const right = typeof b === 'string' ? Buffer.from(b, 'utf8') : b;
  return left.length === right.length && timingSafeEqual(left, right);
}
