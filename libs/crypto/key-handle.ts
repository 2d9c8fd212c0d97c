import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto';
import { ownMemory } from '@kcm/kernel';
import { hkdfBytes } from './hkdf.js';
import type { Secret } from './secret.js';

export type { KeyObject };

/**
 * HKDF-SHA256 (RFC 5869) to a 256-bit key as OpenSSL has it: four times faster per operation than
 * its bytes, which are zeroed. The handle's copy lives until the handle is garbage-collected.
 */
export function deriveKeyHandle(ikm: Secret, salt: Uint8Array, info: Uint8Array): KeyObject {
  const derived = hkdfBytes(ikm, salt, info);
  const key = createSecretKey(derived);
  derived.fill(0);
  return key;
}

/** A private key as such a handle: `prefix` is its PKCS #8 (DER) up to the raw bytes. */
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
