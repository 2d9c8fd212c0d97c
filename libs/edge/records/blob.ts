import { lp } from '@kcm/crypto';
import { DecryptionFailed } from '@kcm/kernel';

/**
 * An encrypted record, bytes in this order:
 *
 *   0      format version, 1
 *   1      algorithm, 1 = HKDF-SHA256 subkey, AES-256-GCM with a random 96-bit IV
 *   2      length n of the key id, then the key id (ASCII)
 *   3+n    key version, u32 big-endian
 *   7+n    salt of the data key, 16 bytes
 *   23+n   IV (12) ‖ ciphertext ‖ tag (16)
 *
 * Nothing in it is trusted: the tenant and service come from the caller, the key id and version
 * only say which key to ask Core for, and all of them are authenticated again as computed, not as
 * read.
 */
const BLOB_FORMAT = 1;
const BLOB_ALGORITHM = 1;
export const SALT_BYTES = 16;
const SEALED_BYTES_MIN = 12 + 16;
const KEY_ID = /^[a-z0-9][a-z0-9-]{0,63}$/;

export interface KeyIdentity {
  readonly tenant: string;
  readonly service: string;
  readonly key: string;
  readonly version: number;
}
export interface Blob {
  readonly key: string;
  readonly version: number;
  readonly salt: Buffer;
  /** iv ‖ ciphertext ‖ tag; a view. */
  readonly sealed: Buffer;
}

/** Everything before the IV: the same for all records of one data key. */
export function blobHeader(key: string, version: number, salt: Uint8Array): Buffer {
  const id = Buffer.from(key, 'ascii');
  const header = Buffer.alloc(7 + id.length + SALT_BYTES);
  header[0] = BLOB_FORMAT;
  header[1] = BLOB_ALGORITHM;
  header[2] = id.length;
  id.copy(header, 3);
  header.writeUInt32BE(version, 3 + id.length);
  header.set(salt, 7 + id.length);
  return header;
}

/** @throws DecryptionFailed on anything that is not such a record */
export function parseBlob(bytes: Buffer): Blob {
  if (bytes.length < 3 || bytes[0] !== BLOB_FORMAT || bytes[1] !== BLOB_ALGORITHM)
    throw new DecryptionFailed();
  const idEnd = 3 + bytes[2]!;
  const saltAt = idEnd + 4;
  const sealedAt = saltAt + SALT_BYTES;
  if (bytes.length < sealedAt + SEALED_BYTES_MIN) throw new DecryptionFailed();
  const key = bytes.toString('latin1', 3, idEnd);
  const version = bytes.readUInt32BE(idEnd);
  if (!KEY_ID.test(key) || version === 0) throw new DecryptionFailed();
  return {
    key,
    version,
    salt: bytes.subarray(saltAt, sealedAt),
    sealed: bytes.subarray(sealedAt),
  };
}

/** HKDF info of the data key. */
export const dataKeyInfo = (of: KeyIdentity): Buffer =>
  lp('kcm/l4/v1', of.tenant, of.service, of.key, String(of.version));

/** AAD up to the context, which `aadOf` adds as one more length-prefixed field. */
export const aadPrefix = (of: KeyIdentity): Buffer =>
  lp(of.tenant, of.service, of.key, String(of.version));

/** `context` in RFC 8785 form. */
export const aadOf = (prefix: Buffer, context: string): Buffer =>
  Buffer.concat([prefix, lp(context)]);
