import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { systemRandom, type Random } from '@kcm/kernel';
import { sha256Hex } from './digest.js';
import { privateKeyFromRaw } from './key-handle.js';
import { Secret } from './secret.js';

export interface Ed25519Pair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** 32 bytes. */
  readonly publicRaw: Buffer;
  /** The private seed, 32 bytes (RFC 8032 §5.1.5). */
  readonly seed: Secret;
}
/** PKCS #8 and SPKI (RFC 8410) before the 32 raw bytes of an Ed25519 key. */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

export function generateEd25519(random: Random = systemRandom): Ed25519Pair {
  const seed = Secret.own(random.bytes(32));
  const privateKey = ed25519PrivateFromSeed(seed);
  const publicKey = createPublicKey(privateKey);
  return { privateKey, publicKey, publicRaw: ed25519RawOf(publicKey), seed };
}

export function ed25519PrivateFromSeed(seed: Secret): KeyObject {
  if (seed.length !== 32) throw new RangeError('an Ed25519 seed has 32 bytes');
  return privateKeyFromRaw(PKCS8_ED25519, seed);
}

/** @throws RangeError unless 32 bytes */
export function ed25519PublicFromRaw(raw: Uint8Array): KeyObject {
  if (raw.length !== 32) throw new RangeError('an Ed25519 public key has 32 bytes');
  const der = Buffer.concat([SPKI_ED25519, raw]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

/** RFC 8032 by a raw public key. @throws RangeError unless the key has 32 bytes */
export const verifyEd25519 = (raw: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
  verify(null, message, ed25519PublicFromRaw(raw), signature);

/** The 32 raw bytes of an Ed25519 key's public half. */
export function ed25519RawOf(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url');
}

/** Key id: the first 16 hex digits of SHA-256 over the raw public key. */
export const kidOf = (publicRaw: Uint8Array): string => sha256Hex(publicRaw).slice(0, 16);
