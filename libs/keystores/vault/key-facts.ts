import { canonicalJson } from '@kcm/kernel';
import type { Binding } from '../keystore.js';
import { objectOf, type VaultReply } from './client.js';

/** What `transit/keys/{key}` says that matters here. */
export interface KeyFacts {
  readonly derived: boolean;
  readonly softDeleted: boolean;
  readonly usable: boolean;
  readonly latestVersion: number;
  readonly minDecryptionVersion: number;
  /** Unix seconds of version 1; null once min_decryption_version has archived it. */
  readonly firstCreated: number | null;
}

/** AEAD types of 256 bits that bind associated data or a derivation context. */
const TYPES: ReadonlySet<unknown> = new Set([
  'aes256-gcm96',
  'chacha20-poly1305',
  'xchacha20-poly1305',
]);

/** null for an answer that does not describe a key. */
export function keyFactsOf({ body }: VaultReply): KeyFacts | null {
  const data = objectOf(body?.['data']);
  const latestVersion = count(data?.['latest_version']);
  const minDecryptionVersion = count(data?.['min_decryption_version']);
  if (data === null || latestVersion === null || minDecryptionVersion === null) return null;
  return {
    derived: data['derived'] === true,
    softDeleted: data['soft_deleted'] === true,
    usable:
      TYPES.has(data['type']) &&
      data['supports_encryption'] !== false &&
      data['supports_decryption'] !== false,
    latestVersion,
    minDecryptionVersion,
    firstCreated: count(objectOf(data['keys'])?.['1']),
  };
}

const count = (value: unknown): number | null =>
  Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : null;

/**
 * How a blob binds its identity. `context` where the key derives (the server can re-wrap such a
 * blob), else `associated_data` (which the server cannot re-wrap: decrypt and encrypt).
 */
export type BindingMode = 'associated_data' | 'context';
const MODES: readonly BindingMode[] = ['associated_data', 'context'];
const HEADER_BYTES = 5;

/** RFC 8785 of {key, tenant, version}, base64. */
export const boundText = ({ tenant, key, version }: Binding): string =>
  Buffer.from(canonicalJson({ tenant, key, version }), 'utf8').toString('base64');

/**
 * A blob: mode (1 byte) ‖ key version (u32 BE) ‖ the ciphertext's bytes. Binary, so that no bit of
 * it goes unread (base64 has spare bits). null for a ciphertext that is no `vault:v{n}:{base64}`.
 */
export function blobOf(
  ciphertext: unknown,
  mode: BindingMode,
): { bytes: Buffer; v: number } | null {
  const parts = typeof ciphertext === 'string' ? /^vault:v(\d{1,9}):(.+)$/.exec(ciphertext) : null;
  if (parts === null) return null;
  const v = count(Number(parts[1]));
  const raw = Buffer.from(parts[2]!, 'base64');
  if (v === null || raw.toString('base64') !== parts[2]) return null;
  const head = Buffer.alloc(HEADER_BYTES);
  head[0] = MODES.indexOf(mode) + 1;
  head.writeUInt32BE(v, 1);
  return { bytes: Buffer.concat([head, raw]), v };
}

/** The opposite of blobOf; null for bytes that it never made. */
export function readBlob(
  blob: Uint8Array,
): { ciphertext: string; mode: BindingMode; v: number } | null {
  const bytes = Buffer.from(blob);
  const mode = MODES[(bytes[0] ?? 0) - 1];
  if (mode === undefined || bytes.length <= HEADER_BYTES) return null;
  const v = bytes.readUInt32BE(1);
  if (v === 0) return null;
  return { ciphertext: `vault:v${v}:${bytes.toString('base64', HEADER_BYTES)}`, mode, v };
}
