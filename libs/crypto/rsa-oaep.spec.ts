import { constants, generateKeyPairSync, publicEncrypt } from 'node:crypto';
import { DecryptionFailed, systemRandom } from '@kcm/kernel';
import { rsaOaepUnwrap, rsaOaepWrap } from './rsa-oaep.js';
import { Secret } from './secret.js';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const label = Buffer.from('a label');
const hexOf = (key: Secret) => key.use((bytes) => bytes.toString('hex'));

describe('RSA-OAEP', () => {
  it('opens what it sealed, and what OpenSSL sealed, for the same label only', () => {
    const bytes = systemRandom.bytes(32);
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const theirs = { key: publicKey, padding, oaepHash: 'sha256', oaepLabel: label };
    for (const blob of [
      rsaOaepWrap(publicKey, Secret.copy(bytes), label),
      publicEncrypt(theirs, bytes),
    ]) {
      expect(hexOf(rsaOaepUnwrap(privateKey, blob, label))).toBe(bytes.toString('hex'));
      expect(() => rsaOaepUnwrap(privateKey, blob)).toThrow(DecryptionFailed);
      expect(() => rsaOaepUnwrap(privateKey, blob, Buffer.from('other'))).toThrow(DecryptionFailed);
    }
  });

  it('refuses a flipped bit in every byte, every cut and another key alike', () => {
    const blob = rsaOaepWrap(publicKey, Secret.own(systemRandom.bytes(32)));
    for (let at = 0; at < blob.length; at += 1) {
      const copy = Buffer.from(blob);
      copy[at]! ^= 1 << (at & 7);
      expect(() => rsaOaepUnwrap(privateKey, copy)).toThrow(DecryptionFailed);
      expect(() => rsaOaepUnwrap(privateKey, blob.subarray(0, at))).toThrow(DecryptionFailed);
    }
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    expect(() => rsaOaepUnwrap(other, blob)).toThrow(DecryptionFailed);
    expect(() => rsaOaepUnwrap(privateKey, Buffer.concat([blob, blob]))).toThrow(DecryptionFailed);
  });

  it('wraps 1 to 190 bytes under 2048 bits', () => {
    for (const length of [1, 190])
      expect(
        rsaOaepUnwrap(privateKey, rsaOaepWrap(publicKey, Secret.own(Buffer.alloc(length, 7)))),
      ).toHaveLength(length);
    for (const length of [0, 191])
      expect(() => rsaOaepWrap(publicKey, Secret.own(Buffer.alloc(length)))).toThrow(RangeError);
  });

  it('gives no empty key out, as OpenSSL would', () => {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const options = { key: publicKey, padding, oaepHash: 'sha256' };
    const blob = publicEncrypt(options, Buffer.alloc(0));
    expect(() => rsaOaepUnwrap(privateKey, blob)).toThrow(DecryptionFailed);
  });

  it('takes no shorter key, no other kind, no small exponent and not the wrong half', () => {
    const key = Secret.own(Buffer.alloc(32));
    const blob = Buffer.alloc(256);
    const pairs = [
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
      generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      { publicKey: privateKey, privateKey: publicKey },
    ];
    for (const pair of pairs) {
      expect(() => rsaOaepWrap(pair.publicKey, key)).toThrow(RangeError);
      expect(() => rsaOaepUnwrap(pair.privateKey, blob)).toThrow(RangeError);
    }
  });
});
