import { DecryptionFailed, systemRandom } from '@kcm/kernel';
import { aeskwpUnwrap, aeskwpWrap, aeskwUnwrap, aeskwWrap } from './aeskw.js';
import { Secret } from './secret.js';

const secret = (text: string) => Secret.own(Buffer.from(text, 'hex'));
const hexOf = (key: Secret) => key.use((bytes) => bytes.toString('hex'));
const KEK_256 = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
const KEY_128 = '00112233445566778899aabbccddeeff';

const KEY_192 = `${KEY_128}0001020304050607`;
/** RFC 3394 §4.1 to §4.6. */
const KW = [
  [KEK_256.slice(0, 32), KEY_128, '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'],
  [KEK_256.slice(0, 48), KEY_128, '96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d'],
  [KEK_256, KEY_128, '64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7'],
  [
    KEK_256.slice(0, 48),
    KEY_192,
    '031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2',
  ],
  [KEK_256, KEY_192, 'a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1'],
  [
    KEK_256,
    `${KEY_128}000102030405060708090a0b0c0d0e0f`,
    '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21',
  ],
] as const;
/** RFC 5649 §6. */
const KWP_KEK = '5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8';
const KWP = [
  [
    'c37b7e6492584340bed12207808941155068f738',
    '138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a',
  ],
  ['466f7250617369', 'afbeb0f07dfbf5419200f2ccb50bb24f'],
] as const;

describe('AES key wrap', () => {
  it.each(KW)('agrees with RFC 3394', (kek, key, wrapped) => {
    expect(aeskwWrap(secret(kek), secret(key)).toString('hex')).toBe(wrapped);
    expect(hexOf(aeskwUnwrap(secret(kek), Buffer.from(wrapped, 'hex')))).toBe(key);
  });

  it.each(KWP)('agrees with RFC 5649', (key, wrapped) => {
    expect(aeskwpWrap(secret(KWP_KEK), secret(key)).toString('hex')).toBe(wrapped);
    expect(hexOf(aeskwpUnwrap(secret(KWP_KEK), Buffer.from(wrapped, 'hex')))).toBe(key);
  });

  it.each([0, 8, 15, 17, 20])('wraps no key of %i bytes without padding', (length) => {
    expect(() => aeskwWrap(secret(KEK_256), Secret.own(Buffer.alloc(length)))).toThrow(RangeError);
  });

  it('wraps no empty key with padding and takes no KEK of another size', () => {
    expect(() => aeskwpWrap(secret(KEK_256), Secret.own(Buffer.alloc(0)))).toThrow(RangeError);
    expect(() => aeskwWrap(secret('00'.repeat(20)), secret(KEY_128))).toThrow(RangeError);
  });

  it.each([
    ['AES-KW', aeskwWrap, aeskwUnwrap],
    ['AES-KWP', aeskwpWrap, aeskwpUnwrap],
  ] as const)('%s refuses every flipped bit, every cut and another KEK', (_, wrap, unwrap) => {
    const kek = secret(KEK_256);
    const blob = wrap(kek, Secret.own(systemRandom.bytes(32)));
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const copy = Buffer.from(blob);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => unwrap(kek, copy)).toThrow(DecryptionFailed);
    }
    for (let length = 0; length < blob.length; length++)
      expect(() => unwrap(kek, blob.subarray(0, length))).toThrow(DecryptionFailed);
    expect(() => unwrap(Secret.own(systemRandom.bytes(32)), blob)).toThrow(DecryptionFailed);
  });
});
