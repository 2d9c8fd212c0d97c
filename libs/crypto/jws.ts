import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { canonicalJson, KcmError, type Json } from '@kcm/kernel';

export type JwsHeader = { readonly [name: string]: Json | undefined };
export interface VerifiedJws {
  readonly header: JwsHeader;
  readonly payload: Json;
}
/** Order of P-256 (FIPS 186-5); s above its half is the mirror image of another signature. */
const P256_N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * JWS compact serialization (RFC 7515 §7.1); header and payload in RFC 8785 form. The key decides
 * the algorithm: Ed25519 → EdDSA (RFC 8037), P-256 → ES256 (RFC 7518 §3.4, always with low s).
 * @throws TypeError on any other key
 */
export function signJws(privateKey: KeyObject, protectedHeader: JwsHeader, payload: Json): string {
  const header = { ...protectedHeader, alg: algorithmOf(privateKey) };
  return signCompact(privateKey, canonicalJson(header), Buffer.from(canonicalJson(payload)));
}

/** The bytes of a JWS as they are; `signJws` is for the product. */
export function signCompact(privateKey: KeyObject, header: string, payload: Uint8Array): string {
  const input = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
  return `${input}.${signBytes(privateKey, Buffer.from(input)).toString('base64url')}`;
}

/**
 * Verifies and re-encodes every part, so that exactly one text verifies: another base64url
 * spelling, a re-ordered member, a mirrored ECDSA signature or any changed byte is refused.
 * @throws KcmError integrity (which check failed is in the message)
 */
export function verifyJws(compact: string, publicKey: KeyObject): VerifiedJws {
  const parts = compact.split('.');
  if (parts.length !== 3) throw refused('it has not three parts');
  const [header, payload, signature] = parts.map(decodePart) as [Buffer, Buffer, Buffer];
  const head = parseCanonical(header, 'header');
  if (typeof head !== 'object' || head === null || Array.isArray(head))
    throw refused('its header is not an object');
  const fields = head as JwsHeader;
  if (fields['alg'] !== algorithmOf(publicKey)) throw refused('its algorithm is not the key’s');
  if (fields['crit'] !== undefined) throw refused('it names an extension that is not known');
  const body = parseCanonical(payload, 'payload');
  if (!verifyBytes(publicKey, Buffer.from(`${parts[0]}.${parts[1]}`), signature))
    throw refused('its signature does not match');
  return { header: fields, payload: body };
}

function algorithmOf(key: KeyObject): 'EdDSA' | 'ES256' {
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA';
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1')
    return 'ES256';
  throw new TypeError('statements are signed with Ed25519 or P-256 keys');
}

function signBytes(key: KeyObject, input: Buffer): Buffer {
  if (algorithmOf(key) === 'EdDSA') return sign(null, input, key);
  const signature = sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' });
  const s = scalar(signature.subarray(32));
  if (s > P256_N / 2n) signature.write((P256_N - s).toString(16).padStart(64, '0'), 32, 'hex');
  return signature;
}

function verifyBytes(key: KeyObject, input: Buffer, signature: Buffer): boolean {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  if (algorithmOf(key) === 'EdDSA') return verify(null, input, publicKey, signature);
  if (signature.length !== 64 || scalar(signature.subarray(32)) > P256_N / 2n) return false;
  return verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}

const scalar = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);

function decodePart(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw refused('a part is not canonical base64url');
  return bytes;
}

function parseCanonical(bytes: Buffer, part: string): Json {
  const text = bytes.toString('utf8');
  try {
    const value = JSON.parse(text) as Json;
    if (canonicalJson(value) === text && Buffer.from(text).equals(bytes)) return value;
  } catch {
    throw refused(`its ${part} is not JSON`);
  }
  throw refused(`its ${part} is not in canonical form`);
}

const refused = (why: string): KcmError =>
  new KcmError('integrity', `The statement is refused: ${why}.`);
