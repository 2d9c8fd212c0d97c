import { constants, type KeyObject, privateDecrypt, publicEncrypt } from 'node:crypto';
import { DecryptionFailed } from '@kcm/kernel';
import { Secret } from './secret.js';

const HASH_BYTES = 32;
const MODULUS_BITS_MIN = 2_048;
const MODULUS_BITS_MAX = 4_096;
/** FIPS 186-5 §5.1. */
const EXPONENT_MIN = 65_537n;
const NO_LABEL = Buffer.alloc(0);

/**
 * RSA-OAEP with SHA-256 for label and MGF1 (RFC 8017 §7.1), a blob as long as the modulus. It binds
 * no identity of its own but the label, which keystores leave empty: what it wraps here is a seed
 * whose L2 is derived with its identity. For keystores whose root key is an RSA key (Azure Key
 * Vault's RSA-OAEP-256) and for keys that a customer brings wrapped (BYOK); nothing else may use it.
 * @throws RangeError on another key than RSA of 2048 to 4096 bits, and on an empty or too long key
 */
export function rsaOaepWrap(publicKey: KeyObject, key: Secret, label: Uint8Array = NO_LABEL) {
  const bytesMax = assertRsa(publicKey, 'public') / 8 - 2 * HASH_BYTES - 2;
  if (key.length === 0 || key.length > bytesMax)
    throw new RangeError(`RSA-OAEP wraps 1 to ${bytesMax} bytes under this key`);
  return key.use((bytes) => publicEncrypt(options(publicKey, label), bytes));
}

/**
 * @throws DecryptionFailed whatever is wrong with blob, key or label, an empty key in it included;
 *   RangeError on another key than RSA of 2048 to 4096 bits
 */
export function rsaOaepUnwrap(
  privateKey: KeyObject,
  blob: Uint8Array,
  label: Uint8Array = NO_LABEL,
): Secret {
  if (blob.length !== assertRsa(privateKey, 'private') / 8) throw new DecryptionFailed();
  let bytes: Buffer;
  try {
    bytes = privateDecrypt(options(privateKey, label), blob);
  } catch {
    throw new DecryptionFailed();
  }
  if (bytes.length === 0) throw new DecryptionFailed();
  return Secret.own(bytes);
}

const options = (key: KeyObject, label: Uint8Array) => ({
  key,
  padding: constants.RSA_PKCS1_OAEP_PADDING,
  oaepHash: 'sha256',
  oaepLabel: label,
});

/** Bits of the modulus. */
function assertRsa(key: KeyObject, type: 'public' | 'private'): number {
  const { modulusLength: bits = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const right = key.type === type && key.asymmetricKeyType === 'rsa';
  const sized = bits >= MODULUS_BITS_MIN && bits <= MODULUS_BITS_MAX && bits % 8 === 0;
  if (!right || !sized || publicExponent < EXPONENT_MIN)
    throw new RangeError(`RSA-OAEP takes a ${type} RSA key of 2048 to 4096 bits`);
  return bits;
}
