import { createHash } from 'node:crypto';
import { base32, constantTimeEqual, fromBase32, lp, Secret, sha256Hex } from '@kcm/crypto';
import { KcmError, ownMemory } from '@kcm/kernel';

/** One share of a MasterKey as a person holds it. */
export interface Share {
  /** 16 hex digits, drawn at init. */
  readonly setId: string;
  readonly threshold: number;
  readonly shares: number;
  /** 1…shares. */
  readonly index: number;
  /** `regionFingerprint` of the region it opens. */
  readonly region: string;
  readonly value: Secret;
}
export type ShareFault =
  | 'malformed'
  | 'checksum'
  | 'foreign_region'
  | 'foreign_set'
  | 'old_set'
  | 'wrong_index'
  | 'unknown'
  | 'duplicate'
  | 'wrong_key';

const PREFIX = 'kcms1-';
const VERSION = 1;
/** Shamir's y values and x coordinate. */
const SHARE_VALUE_BYTES = 33;
const AT = {
  setId: 1,
  threshold: 9,
  shares: 10,
  index: 11,
  region: 12,
  value: 20,
  checksum: 20 + SHARE_VALUE_BYTES,
};
/** A multiple of five, so that base32 leaves no loose bits. */
const SHARE_BYTES = 60;
const SHARE_TEXT_CHARS = PREFIX.length + (SHARE_BYTES * 8) / 5;

/** A share is refused by name: which one, by index and set, and why; never its value. */
export const shareRefused = (code: ShareFault, detail: string): KcmError =>
  new KcmError('share_refused', detail, { errors: [{ path: 'share', code, detail }] });

/** First 8 bytes of SHA-256 over the region's name, hex. */
export const regionFingerprint = (region: string): string =>
  sha256Hex(lp('kcm/region/v1', region)).slice(0, 16);

/** SHA-256 (hex) of a share's text, as the seal configuration keeps it. */
export const shareDigest = (text: string): string => sha256Hex(text);

/** As `readShare` sees it: spaces and capitals that a person's copy may have are not part of it. */
export const normalShareText = (text: string): string => text.replace(/\s+/g, '').toLowerCase();

/**
 * `kcms1-` and lower-case base32 without padding (RFC 4648 §6) of: version (1 byte), set id (8), k,
 * n and index (1 each), region fingerprint (8), value (33), first 7 bytes of SHA-256 of all before.
 */
export function writeShare(share: Share): string {
  const bytes = ownMemory(SHARE_BYTES);
  bytes[0] = VERSION;
  bytes.write(share.setId, AT.setId, 'hex');
  bytes[AT.threshold] = share.threshold;
  bytes[AT.shares] = share.shares;
  bytes[AT.index] = share.index;
  bytes.write(share.region, AT.region, 'hex');
  share.value.use((value) => value.copy(bytes, AT.value));
  checksumOf(bytes).copy(bytes, AT.checksum);
  const text = PREFIX + base32(bytes);
  bytes.fill(0);
  return text;
}

/** @throws KcmError share_refused: malformed, checksum */
export function readShare(text: string): Share {
  const normal = normalShareText(text);
  const shaped = normal.startsWith(PREFIX) && normal.length === SHARE_TEXT_CHARS;
  const bytes = shaped ? fromBase32(normal.slice(PREFIX.length)) : null;
  try {
    if (bytes === null || bytes[0] !== VERSION)
      throw shareRefused('malformed', 'The text is not a share (kcms1-…) of this version.');
    if (!constantTimeEqual(checksumOf(bytes), bytes.subarray(AT.checksum)))
      throw shareRefused('checksum', 'The share was mistyped: its checksum does not match.');
    return {
      setId: bytes.toString('hex', AT.setId, AT.threshold),
      threshold: bytes[AT.threshold]!,
      shares: bytes[AT.shares]!,
      index: bytes[AT.index]!,
      region: bytes.toString('hex', AT.region, AT.value),
      value: Secret.copy(bytes.subarray(AT.value, AT.checksum)),
    };
  } finally {
    bytes?.fill(0);
  }
}

const checksumOf = (bytes: Buffer): Buffer =>
  createHash('sha256')
    .update(bytes.subarray(0, AT.checksum))
    .digest()
    .subarray(0, SHARE_BYTES - AT.checksum);
