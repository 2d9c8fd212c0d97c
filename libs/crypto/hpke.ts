import { createPublicKey, type webcrypto } from 'node:crypto';
import { DecryptionFailed, systemRandom, type Random } from '@kcm/kernel';
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { privateKeyFromRaw } from './key-handle.js';
import { Secret } from './secret.js';

export interface HpkeKeyPair {
  /** Raw X25519 public key, 32 bytes. */
  readonly publicRaw: Buffer;
  /** Raw X25519 private key, 32 bytes. */
  readonly privateKey: Secret;
}
const ENC_BYTES = 32;
/** PKCS #8 (RFC 8410 §7) before the 32 raw bytes of an X25519 private key. */
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (RFC 9180 §7). */
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

export function hpkeGenerate(random: Random = systemRandom): HpkeKeyPair {
  const privateKey = Secret.own(random.bytes(32));
  return { publicRaw: hpkePublicOf(privateKey), privateKey };
}

/** The raw public key of a raw private key (RFC 7748 §6.1). */
export function hpkePublicOf(privateKey: Secret): Buffer {
  const key = createPublicKey(privateKeyFromRaw(PKCS8_X25519, privateKey));
  return Buffer.from(key.export({ format: 'jwk' }).x as string, 'base64url');
}

/** Single-shot base mode (RFC 9180 §6.1): enc(32) ‖ ciphertext. @throws RangeError on a bad key */
export async function hpkeSeal(
  publicRaw: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Promise<Buffer> {
  if (publicRaw.length !== ENC_BYTES) throw new RangeError('an X25519 key has 32 bytes');
  const recipientPublicKey = await suite.kem.deserializePublicKey(publicRaw);
  const sealed = await suite.seal({ recipientPublicKey, info }, plaintext, aad);
  return Buffer.concat([new Uint8Array(sealed.enc), new Uint8Array(sealed.ct)]);
}

/** @throws DecryptionFailed whatever is wrong with blob, key, info or AAD */
export async function hpkeOpen(
  privateKey: Secret,
  info: Uint8Array,
  aad: Uint8Array,
  blob: Uint8Array,
): Promise<Buffer> {
  if (blob.length < ENC_BYTES) throw new DecryptionFailed();
  try {
    const recipientKey = pairOf(privateKey);
    const enc = blob.subarray(0, ENC_BYTES);
    const plaintext = await suite.open({ recipientKey, enc, info }, blob.subarray(ENC_BYTES), aad);
    return Buffer.from(plaintext);
  } catch {
    throw new DecryptionFailed();
  }
}

/**
 * As handles, which the library takes as they are. Of raw bytes it would make base64 for a JWK, and
 * of a private key alone another one to find its public half.
 */
function pairOf(privateKey: Secret): webcrypto.CryptoKeyPair {
  const handle = privateKeyFromRaw(PKCS8_X25519, privateKey);
  return {
    privateKey: handle.toCryptoKey('X25519', false, ['deriveBits']),
    publicKey: createPublicKey(handle).toCryptoKey('X25519', true, []),
  };
}
