import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { base32, fromBase32 } from './base32.js';
import { commitmentOf } from './commitment.js';
import { lp } from './lp.js';
import { Secret } from './secret.js';

describe('base32', () => {
  it('agrees with RFC 4648 §10, in lower case and without padding', () => {
    const words = ['', 'my', 'mzxq', 'mzxw6', 'mzxw6yq', 'mzxw6ytb', 'mzxw6ytboi'];
    words.forEach((text, length) => {
      const bytes = Buffer.from('foobar').subarray(0, length);
      expect(base32(bytes)).toBe(text);
      expect(fromBase32(text)).toEqual(bytes);
    });
  });

  it('reads exactly what it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(fromBase32(base32(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
    for (const text of ['MY', 'my======', 'm1', 'mz', 'a', 'mzxw6ytbo', 'm y'])
      expect(fromBase32(text)).toBeNull();
  });
});

describe('lp', () => {
  it('gives different bytes to different lists', () => {
    const fields = fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 3 });
    fc.assert(
      fc.property(fields, fields, (a, b) => {
        const same = a.length === b.length && a.every((x, at) => Buffer.from(x).equals(b[at]!));
        expect(lp(...a).equals(lp(...b))).toBe(same);
      }),
    );
    expect(lp('ab', 'c').toString('hex')).toBe('0000000261620000000163');
  });
});

describe('a secret', () => {
  it('is written nowhere', () => {
    const secret = Secret.copy(Buffer.from('hidden'));
    expect(String(secret) + inspect({ secret })).not.toContain('hidden');
    expect(() => JSON.stringify({ secret })).toThrow(TypeError);
  });

  it('is zeros after dispose and lends nothing more', () => {
    const secret = Secret.own(Buffer.from('hidden'));
    const lent = secret.use((bytes) => bytes);
    expect(lent.toString()).toBe('hidden');
    secret.dispose();
    expect(lent).toEqual(Buffer.alloc(6));
    expect(() => secret.use(() => 0)).toThrow('disposed');
  });

  it('has memory that it shares with nobody, and leaves nothing where it came from', () => {
    const pooled = Buffer.from('hidden');
    expect(pooled.buffer.byteLength).toBeGreaterThan(pooled.length);
    for (const secret of [Secret.copy(pooled), Secret.own(pooled)])
      expect(secret.use((bytes) => bytes.buffer.byteLength)).toBe(secret.length);
    expect(pooled).toEqual(Buffer.alloc(6));
  });

  it('is committed to with its identity', () => {
    const key = Secret.own(Buffer.alloc(32, 1));
    const commitment = commitmentOf(key, Buffer.from('a'));
    expect(commitment).toMatch(/^[0-9a-f]{32}$/);
    expect(commitmentOf(key, Buffer.from('b'))).not.toBe(commitment);
    expect(commitmentOf(Secret.own(Buffer.alloc(32, 2)), Buffer.from('a'))).not.toBe(commitment);
  });
});
