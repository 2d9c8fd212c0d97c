import { createCipheriv, createDecipheriv, KeyObject } from 'node:crypto';
import { DecryptionFailed, type Random } from '@kcm/kernel';
import { Secret } from './secret.js';

const AEAD_IV_BYTES = 12;
const AEAD_TAG_BYTES = 16;
/** What `aeadSeal` adds to a plaintext, in bytes. */
export const AEAD_OVERHEAD_BYTES = AEAD_IV_BYTES + AEAD_TAG_BYTES;

const ALGORITHM = 'aes-256-gcm';
const lend = <T>(key: Secret | KeyObject, use: (key: Buffer | KeyObject) => T): T =>
  key instanceof Secret ? key.use(use) : use(key);

/**
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit IV: iv(12) ‖ ciphertext ‖ tag(16).
 * One key seals at most 2^32 messages (§8.3); the caller keeps count.
 * @throws RangeError on a key that is not 32 bytes
 */
export function aeadSeal(
  key: Secret | KeyObject,
  random: Random,
  plaintext: Uint8Array,
  aad: Uint8Array,
): Buffer {
  const iv = random.bytes(AEAD_IV_BYTES);
  return lend(key, (k) => {
    const cipher = createCipheriv(ALGORITHM, k, iv, { authTagLength: AEAD_TAG_BYTES }).setAAD(aad);
    const head = cipher.update(plaintext);
    return Buffer.concat([iv, head, cipher.final(), cipher.getAuthTag()]);
  });
}

/**
 * `aeadSeal` behind a header that is not encrypted: header ‖ iv ‖ ciphertext ‖ tag, written into
 * one buffer, which is what a caller on a hot path saves by it.
 */
export function aeadSealAfter(
  header: Uint8Array,
  key: KeyObject,
  random: Random,
  plaintext: Uint8Array,
  aad: Uint8Array,
): Buffer {
  const iv = random.bytes(AEAD_IV_BYTES);
  // A tag of 16 bytes is what this mode gives unless told otherwise.
  const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(aad);
  const body = cipher.update(plaintext);
  cipher.final();
  const bodyAt = header.length + AEAD_IV_BYTES;
  const record = Buffer.allocUnsafe(bodyAt + body.length + AEAD_TAG_BYTES);
  record.set(header, 0);
  record.set(iv, header.length);
  body.copy(record, bodyAt);
  cipher.getAuthTag().copy(record, bodyAt + body.length);
  return record;
}

/**
 * Opens what `aeadSeal` made.
 * @throws DecryptionFailed whatever is wrong with blob, key or AAD
 * @throws RangeError on a key that is not 32 bytes
 */
export function aeadOpen(key: Secret | KeyObject, blob: Uint8Array, aad: Uint8Array): Buffer {
  if (blob.length < AEAD_OVERHEAD_BYTES) throw new DecryptionFailed();
  const iv = blob.subarray(0, AEAD_IV_BYTES);
  const body = blob.subarray(AEAD_IV_BYTES, blob.length - AEAD_TAG_BYTES);
  const tag = blob.subarray(blob.length - AEAD_TAG_BYTES);
  return lend(key, (k) => {
    const options = { authTagLength: AEAD_TAG_BYTES };
    const decipher = createDecipheriv(ALGORITHM, k, iv, options).setAAD(aad).setAuthTag(tag);
    const plaintext = decipher.update(body);
    try {
      decipher.final();
    } catch {
      plaintext.fill(0);
      throw new DecryptionFailed();
    }
    return plaintext;
  });
}
