import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  aeadOpen,
  aeadSeal,
  aeskwpUnwrap,
  aeskwpWrap,
  aeskwUnwrap,
  aeskwWrap,
  constantTimeEqual,
  hkdf,
  hmacHex,
  hmacSha256,
  rsaOaepUnwrap,
  Secret,
} from '@kcm/crypto';
import type { Case } from './cases.js';

/** Cases, and what our function does with one: false, DecryptionFailed and RangeError refuse it. */
export interface Suite {
  readonly name: string;
  readonly files: RegExp;
  readonly accepts: (vector: Case) => boolean;
}
const secret = (vector: Case, field: string): Secret => Secret.own(vector.bytes(field));
const equal = (key: Secret, expected: Buffer): boolean =>
  key.use((bytes) => bytes.equals(expected));

/** Both ways: what we make of the one side is the other side, byte for byte. */
const wrapping =
  (wrap: typeof aeskwWrap, unwrap: typeof aeskwUnwrap) =>
  (vector: Case): boolean => {
    const unwrapped = equal(unwrap(secret(vector, 'key'), vector.bytes('ct')), vector.bytes('msg'));
    const wrapped = wrap(secret(vector, 'key'), secret(vector, 'msg'));
    return unwrapped && wrapped.equals(vector.bytes('ct'));
  };

function gcm(vector: Case): boolean {
  const aad = vector.bytes('aad');
  const blob = Buffer.concat([vector.bytes('iv'), vector.bytes('ct'), vector.bytes('tag')]);
  const opened = aeadOpen(secret(vector, 'key'), blob, aad);
  const random = { bytes: () => vector.bytes('iv') };
  const sealed = aeadSeal(secret(vector, 'key'), random, vector.bytes('msg'), aad);
  return opened.equals(vector.bytes('msg')) && sealed.equals(blob);
}

/** Truncated where the case is: our commitments are. */
function hmac(vector: Case): boolean {
  const [key, msg, tag] = [vector.bytes('key'), vector.bytes('msg'), vector.bytes('tag')];
  const macs = [
    hmacHex(key, msg),
    hmacHex(Secret.copy(key), msg),
    hmacSha256(key, msg).toString('hex'),
  ];
  const same = macs.map((mac) =>
    constantTimeEqual(mac.slice(0, vector.tagSize! / 4), tag.toString('hex')),
  );
  if (new Set(same).size !== 1) throw new Error('our two functions differ');
  return same[0]!;
}

function derivation(vector: Case): boolean {
  const key = hkdf(secret(vector, 'ikm'), vector.bytes('salt'), vector.bytes('info'), vector.size);
  return equal(key, vector.bytes('okm'));
}

const rsaKeys = new Map<string, KeyObject>();
function rsa(vector: Case): boolean {
  const pkcs8 = vector.privateKeyPkcs8!;
  let key = rsaKeys.get(pkcs8);
  if (key === undefined) {
    key = createPrivateKey({ key: Buffer.from(pkcs8, 'hex'), format: 'der', type: 'pkcs8' });
    rsaKeys.set(pkcs8, key);
  }
  const { bytes } = vector;
  return equal(rsaOaepUnwrap(key, bytes('ct'), bytes('label')), bytes('msg'));
}

export const SUITES: readonly Suite[] = [
  { name: 'AES-GCM', files: /^aes_gcm_/, accepts: gcm },
  { name: 'AES-KW', files: /^aes_wrap_/, accepts: wrapping(aeskwWrap, aeskwUnwrap) },
  { name: 'AES-KWP', files: /^aes_kwp_/, accepts: wrapping(aeskwpWrap, aeskwpUnwrap) },
  { name: 'HKDF-SHA256', files: /^hkdf_sha256_/, accepts: derivation },
  { name: 'HMAC-SHA256', files: /^hmac_sha256_/, accepts: hmac },
  { name: 'RSA-OAEP', files: /^rsa_oaep_/, accepts: rsa },
];
