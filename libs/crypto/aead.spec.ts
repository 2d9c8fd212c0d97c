import { createSecretKey } from 'node:crypto';
import { DecryptionFailed, systemRandom, type Random } from '@kcm/kernel';
import { aeadOpen, aeadSeal } from './aead.js';
import { Secret } from './secret.js';

const hex = (text: string) => Buffer.from(text, 'hex');
/** McGrew & Viega, The Galois/Counter Mode, test cases 13 to 16 (256-bit keys, 96-bit IVs). */
const KEY = 'feffe9928665731c6d6a8f9467308308'.repeat(2);
const PLAIN =
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
  '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39';
const VECTORS = [
  ['00'.repeat(32), '00'.repeat(12), '', '', '', '530f8afbc74536b9a963b4f1c4cb738b'],
  [
    '00'.repeat(32),
    '00'.repeat(12),
    '00'.repeat(16),
    '',
    'cea7403d4d606b6e074ec5d3baf39d18',
    'd0d1c8a799996bf0265b98b5d48ab919',
  ],
  [
    KEY,
    'cafebabefacedbaddecaf888',
    `${PLAIN}1aafd255`,
    '',
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
      '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad',
    'b094dac5d93471bdec1a502270e3cc6c',
  ],
  [
    KEY,
    'cafebabefacedbaddecaf888',
    PLAIN,
    'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
      '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
    '76fc6ece0f4e1768cddf8853bb2d551b',
  ],
] as const;

describe('AES-256-GCM', () => {
  it.each(VECTORS)('agrees with the published vectors', (key, iv, plain, aad, ct, tag) => {
    const random: Random = { bytes: () => hex(iv) };
    const blob = aeadSeal(Secret.own(hex(key)), random, hex(plain), hex(aad));
    expect(blob.toString('hex')).toBe(iv + ct + tag);
    expect(aeadOpen(Secret.own(hex(key)), blob, hex(aad)).toString('hex')).toBe(plain);
    expect(aeadOpen(createSecretKey(hex(key)), blob, hex(aad)).toString('hex')).toBe(plain);
  });

  it('refuses every flipped bit of blob and AAD, and every shorter blob, alike', () => {
    const key = Secret.own(systemRandom.bytes(32));
    const aad = Buffer.from('aad');
    const blob = aeadSeal(key, systemRandom, Buffer.from('plain'), aad);
    for (let bit = 0; bit < blob.length * 8; bit++)
      expect(() => aeadOpen(key, flipped(blob, bit), aad)).toThrow(DecryptionFailed);
    for (let bit = 0; bit < aad.length * 8; bit++)
      expect(() => aeadOpen(key, blob, flipped(aad, bit))).toThrow(DecryptionFailed);
    for (let length = 0; length < blob.length; length++)
      expect(() => aeadOpen(key, blob.subarray(0, length), aad)).toThrow(DecryptionFailed);
  });

  it('never gives the same bytes twice', () => {
    const key = Secret.own(systemRandom.bytes(32));
    const seal = () =>
      aeadSeal(key, systemRandom, Buffer.from('x'), Buffer.alloc(0)).toString('hex');
    expect(seal()).not.toBe(seal());
  });

  it('takes no key of another size', () => {
    const key = Secret.own(systemRandom.bytes(16));
    expect(() => aeadSeal(key, systemRandom, Buffer.alloc(1), Buffer.alloc(0))).toThrow(
      'key length',
    );
  });
});

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}
