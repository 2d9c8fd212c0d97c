import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto';
import { ownMemory } from '@kcm/kernel';
import { hkdf } from './hkdf.js';
import type { Secret } from './secret.js';

export type { KeyObject };

/**
 * The secret as an OpenSSL key: four times faster per operation than its bytes. The handle keeps a
 * copy of its own, which lives until it is garbage-collected; the secret stays the caller's.
 */
const keyHandle = (secret: Secret): KeyObject => secret.use((bytes) => createSecretKey(bytes));

/** HKDF-SHA256 (RFC 5869) to a 256-bit key handle; the derived bytes are zeroed. */
export function deriveKeyHandle(ikm: Secret, salt: Uint8Array, info: Uint8Array): KeyObject {
  using derived = hkdf(ikm, salt, info);
  return keyHandle(derived);
}

/** A handle as above of a private key: `prefix` is its PKCS #8 (DER) up to the raw bytes. */
export function privateKeyFromRaw(prefix: Uint8Array, raw: Secret): KeyObject {
  const der = ownMemory(prefix.length + raw.length);
  der.set(prefix);
  raw.use((bytes) => der.set(bytes, prefix.length));
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

/** @throws Error on anything but an unencrypted private key in PEM */
export const privateKeyFromPem = (pem: string): KeyObject => createPrivateKey(pem);
