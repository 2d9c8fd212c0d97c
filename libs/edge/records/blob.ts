import { lp } from '@kcm/crypto';
import { DecryptionFailed } from '@kcm/kernel';

/**
 * What an Edge seals: a caller's record, or a data key that the caller keeps wrapped. Bytes in this
 * order:
 *
 *   0      format version, 1
 *   1      what it is: 1 = a record, 2 = a data key; either HKDF-SHA256 subkey, AES-256-GCM with a
 *          random 96-bit IV
 *   2      length n of the key id, then the key id (ASCII)
 *   3+n    key version, u32 big-endian
 *   7+n    salt of the subkey, 16 bytes
 *   23+n   of a data key: its id, 16 bytes
 *          IV (12) ‖ ciphertext ‖ tag (16); of a data key the ciphertext has 32 bytes
 *
 * Nothing in it is trusted: the tenant and service come from the caller, the key id and version
 * only say which key to ask Core for, and all of them are authenticated again as computed, not as
 * read. A record and a data key have different subkeys under the same salt: neither is ever taken
 * for the other.
 */
const BLOB_FORMAT = 1;
const KINDS = { record: 1, dataKey: 2 } as const;
export type Purpose = keyof typeof KINDS;
export const SALT_BYTES = 16;
export const DATA_KEY_BYTES = 32;
const DATA_KEY_ID_BYTES = 16;
const SEAL_BYTES = 12 + 16;
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
  /** Of a data key: its 16 bytes; null: a record. A view. */
  readonly id: Buffer | null;
  /** iv ‖ ciphertext ‖ tag; a view. */
  readonly sealed: Buffer;
}

/** Everything before the IV, or before a data key's id: the same for all of one subkey. */
export function blobHeader(
  purpose: Purpose,
  key: string,
  version: number,
  salt: Uint8Array,
): Buffer {
  const id = Buffer.from(key, 'ascii');
  const header = Buffer.alloc(7 + id.length + SALT_BYTES);
  header[0] = BLOB_FORMAT;
  header[1] = KINDS[purpose];
  header[2] = id.length;
  id.copy(header, 3);
  header.writeUInt32BE(version, 3 + id.length);
  header.set(salt, 7 + id.length);
  return header;
}

/** @throws DecryptionFailed on anything that is not one, or is for another purpose */
export function parseBlob(bytes: Buffer, purpose: Purpose = 'record'): Blob {
  if (bytes.length < 3 || bytes[0] !== BLOB_FORMAT || bytes[1] !== KINDS[purpose])
    throw new DecryptionFailed();
  const idEnd = 3 + bytes[2]!;
  const saltAt = idEnd + 4;
  const saltEnd = saltAt + SALT_BYTES;
  const sealedAt = purpose === 'record' ? saltEnd : saltEnd + DATA_KEY_ID_BYTES;
  const body = bytes.length - sealedAt - SEAL_BYTES;
  if (purpose === 'record' ? body < 0 : body !== DATA_KEY_BYTES) throw new DecryptionFailed();
  const key = bytes.toString('latin1', 3, idEnd);
  const version = bytes.readUInt32BE(idEnd);
  if (!KEY_ID.test(key) || version === 0) throw new DecryptionFailed();
  return {
    key,
    version,
    salt: bytes.subarray(saltAt, saltEnd),
    id: purpose === 'record' ? null : bytes.subarray(saltEnd, sealedAt),
    sealed: bytes.subarray(sealedAt),
  };
}

const fieldsOf = (of: KeyIdentity) => [of.tenant, of.service, of.key, String(of.version)];

/** HKDF info of the subkeys for one purpose. */
export const subkeyInfo = (purpose: Purpose, of: KeyIdentity): Buffer =>
  lp(purpose === 'record' ? 'kcm/l4/v1' : 'kcm/data-key/v1', ...fieldsOf(of));

/** AAD up to the context, which `aadOf` adds as one more length-prefixed field. */
export const aadPrefix = (purpose: Purpose, of: KeyIdentity): Buffer =>
  lp(...(purpose === 'record' ? [] : ['kcm/data-key/v1']), ...fieldsOf(of));

/** `context` in RFC 8785 form. */
export const aadOf = (prefix: Buffer, context: string): Buffer =>
  Buffer.concat([prefix, lp(context)]);
