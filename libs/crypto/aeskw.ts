import { createCipheriv, createDecipheriv } from 'node:crypto';
import { DecryptionFailed, ownMemory } from '@kcm/kernel';
import { Secret } from './secret.js';

const KW_IV = Buffer.alloc(8, 0xa6);
const KWP_IV = Buffer.from('a65959a6', 'hex');
const BLOCK_BYTES = 8;

function run(mode: 'wrap' | 'wrap-pad', kek: Secret, input: Uint8Array, seal: boolean): Buffer {
  const name = `id-aes${kek.length * 8}-${mode}`;
  const iv = mode === 'wrap' ? KW_IV : KWP_IV;
  return kek.use((key) => {
    const cipher = seal ? createCipheriv(name, key, iv) : createDecipheriv(name, key, iv);
    const head = cipher.update(input);
    const tail = cipher.final();
    const all = ownMemory(head.length + tail.length);
    all.set(head);
    all.set(tail, head.length);
    for (const part of [head, tail]) part.fill(0);
    return all;
  });
}

function unwrap(mode: 'wrap' | 'wrap-pad', kek: Secret, blob: Uint8Array): Secret {
  assertKek(kek);
  const bytesMin = mode === 'wrap' ? 3 * BLOCK_BYTES : 2 * BLOCK_BYTES;
  if (blob.length < bytesMin || blob.length % BLOCK_BYTES !== 0) throw new DecryptionFailed();
  try {
    return Secret.own(run(mode, kek, blob, false));
  } catch {
    throw new DecryptionFailed();
  }
}

function assertKek(kek: Secret): void {
  if (![16, 24, 32].includes(kek.length)) throw new RangeError('a KEK has 16, 24 or 32 bytes');
}

/**
 * AES key wrap (RFC 3394): 8 bytes longer than the key.
 * @throws RangeError on an empty key or one that is not at least two whole 64-bit blocks (§2)
 */
export function aeskwWrap(kek: Secret, key: Secret): Buffer {
  assertKek(kek);
  if (key.length < 2 * BLOCK_BYTES || key.length % BLOCK_BYTES !== 0)
    throw new RangeError('AES-KW wraps 16 bytes or more in whole 64-bit blocks');
  return key.use((bytes) => run('wrap', kek, bytes, true));
}

/** @throws DecryptionFailed whatever is wrong; RangeError on a KEK of another size */
export const aeskwUnwrap = (kek: Secret, blob: Uint8Array): Secret => unwrap('wrap', kek, blob);

/**
 * AES key wrap with padding (RFC 5649), for keys that a customer brings wrapped (BYOK: an RSA-OAEP
 * key over it, as cloud keystores import them). @throws RangeError on an empty key
 */
export function aeskwpWrap(kek: Secret, key: Secret): Buffer {
  assertKek(kek);
  if (key.length === 0) throw new RangeError('an empty key cannot be wrapped');
  return key.use((bytes) => run('wrap-pad', kek, bytes, true));
}

/** @throws DecryptionFailed whatever is wrong; RangeError on a KEK of another size */
export const aeskwpUnwrap = (kek: Secret, blob: Uint8Array): Secret =>
  unwrap('wrap-pad', kek, blob);
