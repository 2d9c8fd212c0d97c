import { hmacHex } from './digest.js';
import { lp } from './lp.js';
import type { Secret } from './secret.js';

const COMMITMENT_BYTES = 16;

/**
 * Key commitment: HMAC-SHA256 by the key over its identity, truncated to 16 bytes, hex. It stays
 * the same through re-wraps and says nothing about the key.
 */
export const commitmentOf = (key: Secret, identity: Uint8Array): string =>
  hmacHex(key, lp('kcm/commitment/v1', identity)).slice(0, 2 * COMMITMENT_BYTES);
