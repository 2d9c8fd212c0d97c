import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { hmacSha256 } from './hmac.js';

/** RFC 4231 §4.2, §4.3 and §4.7: a short key, a shorter one, and one longer than a block. */
const VECTORS = [
  [
    Buffer.alloc(20, 0x0b),
    'Hi There',
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  ],
  [
    Buffer.from('Jefe'),
    'what do ya want for nothing?',
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    Buffer.alloc(131, 0xaa),
    'Test Using Larger Than Block-Size Key - Hash Key First',
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
] as const;

describe('HMAC-SHA256', () => {
  it.each(VECTORS)('agrees with RFC 4231', (key, text, mac) => {
    expect(hmacSha256(key, Buffer.from(text)).toString('hex')).toBe(mac);
  });

  it('agrees with OpenSSL for every key, however long and however the text is cut', () => {
    const bytes = fc.uint8Array({ maxLength: 700 });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 140 }),
        fc.array(bytes, { maxLength: 3 }),
        (key, parts) => {
          const theirs = createHmac('sha256', key);
          for (const part of parts) theirs.update(part);
          expect(hmacSha256(key, ...parts).equals(theirs.digest())).toBe(true);
        },
      ),
    );
  });

  it('gives memory of its own, and leaves the key as it was', () => {
    const key = Buffer.alloc(32, 7);
    const mac = hmacSha256(key, Buffer.from('a'));
    const copy = Buffer.from(mac);
    hmacSha256(key, Buffer.from('b'));
    expect(mac).toEqual(copy);
    expect(mac.buffer.byteLength).toBe(32);
    expect(key).toEqual(Buffer.alloc(32, 7));
  });
});
