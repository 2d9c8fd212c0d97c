import { createCipheriv, createDecipheriv } from 'node:crypto';
import { canonicalJson, type Random } from '@kcm/kernel';
import { Refusal } from './refusal.js';

/** What the caller binds a blob to; part of the authenticated data. */
export interface Binding {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
}
export interface KeyMaterial {
  readonly id: string;
  readonly version: number;
  /** 32 bytes. */
  readonly material: Buffer;
}

const FORMAT = 1;
const HEADER_BYTES = 1 + 16 + 4;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = 'aes-256-gcm';

/**
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit IV.
 * Blob: format (1) ‖ key id (16) ‖ key version (u32 BE) ‖ IV (12) ‖ ciphertext ‖ tag (16).
 */
export function wrap(key: KeyMaterial, plain: Buffer, binding: Binding, random: Random): Buffer {
  const iv = random.bytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, key.material, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(aadOf(key, binding));
  const body = [cipher.update(plain), cipher.final()];
  return Buffer.concat([headerOf(key), iv, ...body, cipher.getAuthTag()]);
}

/** @throws Refusal integrity_failed for any blob that this key did not wrap for this binding */
export function unwrap(key: KeyMaterial, blob: Buffer, binding: Binding): Buffer {
  const failed = new Refusal('integrity_failed', 'The blob does not open for this binding.');
  if (blob.length < HEADER_BYTES + IV_BYTES + TAG_BYTES) throw failed;
  if (!blob.subarray(0, HEADER_BYTES).equals(headerOf(key))) throw failed;
  const iv = blob.subarray(HEADER_BYTES, HEADER_BYTES + IV_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key.material, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(aadOf(key, binding));
  decipher.setAuthTag(blob.subarray(-TAG_BYTES));
  try {
    const body = blob.subarray(HEADER_BYTES + IV_BYTES, -TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch {
    throw failed;
  }
}

/** Of the key that wrapped the blob, as the blob says; an unwrap finds out whether that is true. */
export const versionIn = (blob: Buffer): number =>
  blob.length < HEADER_BYTES ? 0 : blob.readUInt32BE(17);

function headerOf({ id, version }: KeyMaterial): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = FORMAT;
  header.write(id.replaceAll('-', ''), 1, 'hex');
  header.writeUInt32BE(version, 17);
  return header;
}

function aadOf({ id, version }: KeyMaterial, { tenant, key, version: bound }: Binding): Buffer {
  const identity = { id, version, binding: { tenant, key, version: bound } };
  return Buffer.from(canonicalJson(identity), 'utf8');
}
