import { constantTimeEqual, hmacHex, sha256Hex } from './digest.js';
import { hkdf } from './hkdf.js';
import { Secret } from './secret.js';

const range = (from: number, to: number) =>
  Buffer.from(Array.from({ length: to - from + 1 }, (_, at) => from + at));
const none = Buffer.alloc(0);

/** RFC 5869 appendix A.1 to A.3. */
const VECTORS = [
  [
    Buffer.alloc(22, 0x0b),
    range(0x00, 0x0c),
    range(0xf0, 0xf9),
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  ],
  [
    range(0x00, 0x4f),
    range(0x60, 0xaf),
    range(0xb0, 0xff),
    'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e' +
      '590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
  ],
  [
    Buffer.alloc(22, 0x0b),
    none,
    none,
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  ],
] as const;

describe('HKDF-SHA256', () => {
  it.each(VECTORS)('agrees with RFC 5869', (ikm, salt, info, okm) => {
    const key = hkdf(Secret.copy(ikm), salt, info, okm.length / 2);
    expect(key.use((bytes) => bytes.toString('hex'))).toBe(okm);
  });

  it.each(VECTORS)(
    'agrees with RFC 5869 where one block is all that is asked',
    (ikm, salt, info, okm) => {
      const key = hkdf(Secret.copy(ikm), salt, info);
      expect(key.use((bytes) => bytes.toString('hex'))).toBe(okm.slice(0, 64));
    },
  );
});

describe('digests', () => {
  it('agree with FIPS 180-4 and RFC 4231', () => {
    expect(sha256Hex('abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    const mac = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
    expect(hmacHex(Buffer.from('Jefe'), 'what do ya want for nothing?')).toBe(mac);
    expect(hmacHex(Secret.copy(Buffer.from('Jefe')), 'what do ya want for nothing?')).toBe(mac);
  });

  it('compare by content, and another length is another value', () => {
    expect(constantTimeEqual('abc', Buffer.from('abc'))).toBe(true);
    expect(constantTimeEqual('abc', 'abd')).toBe(false);
    expect(constantTimeEqual('abc', 'abcd')).toBe(false);
  });
});
