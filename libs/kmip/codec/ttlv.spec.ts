import * as fc from 'fast-check';
import { FIGURES } from '@kcm/testing/figures';
import { decodeItem, encodeItem, item, ITEM_TYPES, TtlvError, type Item } from './index.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/[\s|]/g, ''), 'hex');

const tag = fc.integer({ min: 0x420001, max: 0x420106 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const leaf: fc.Arbitrary<Item> = fc.oneof(
  fc.tuple(tag, fc.integer()).map(([t, v]) => item.integer(t, v)),
  fc.tuple(tag, int64).map(([t, v]) => item.longInteger(t, v)),
  fc.tuple(tag, fc.bigInt()).map(([t, v]) => item.bigInteger(t, v)),
  fc.tuple(tag, fc.nat(0xffffffff)).map(([t, v]) => item.enumeration(t, v)),
  fc.tuple(tag, fc.boolean()).map(([t, v]) => item.boolean(t, v)),
  fc.tuple(tag, fc.string({ unit: 'grapheme' })).map(([t, v]) => item.textString(t, v)),
  fc.tuple(tag, fc.uint8Array()).map(([t, v]) => item.byteString(t, v)),
  fc.tuple(tag, int64).map(([t, v]) => item.dateTime(t, v)),
  fc.tuple(tag, fc.nat(0xffffffff)).map(([t, v]) => item.interval(t, v)),
);
const tree: fc.Arbitrary<Item> = fc.letrec<{ node: Item }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc
      .tuple(tag, fc.array(tie('node'), { maxLength: 5 }))
      .map(([t, children]) => item.structure(t, children)),
  ),
})).node;

/** Byte strings as Buffers on both sides, so that equality compares bytes. */
const comparable = (value: Item): unknown => {
  if (value.type === 'structure') return { ...value, value: value.value.map(comparable) };
  if (value.type === 'byteString')
    return { ...value, value: Buffer.from(value.value).toString('hex') };
  return value;
};

describe('TTLV', () => {
  it.each<[string, Item, string]>([
    ['Integer 8', item.integer(0x420020, 8), '42002002 00000004 00000008 00000000'],
    [
      'Long Integer 123456789000000000',
      item.longInteger(0x420020, 123456789000000000n),
      '42002003 00000008 01B69B4BA5749200',
    ],
    [
      'Big Integer 1234567890000000000000000000',
      item.bigInteger(0x420020, 1234567890000000000000000000n),
      '42002004 00000010 0000000003FD35EB 6BC2DF4618080000',
    ],
    ['Enumeration 255', item.enumeration(0x420020, 255), '42002005 00000004 000000FF 00000000'],
    ['Boolean True', item.boolean(0x420020, true), '42002006 00000008 0000000000000001'],
    [
      'Text String "Hello World"',
      item.textString(0x420020, 'Hello World'),
      '42002007 0000000B 48656C6C6F20576F 726C640000000000',
    ],
    [
      'Byte String { 01 02 03 }',
      item.byteString(0x420020, hex('010203')),
      '42002008 00000003 0102030000000000',
    ],
    [
      'Date-Time Friday, March 14, 2008, 11:56:40 GMT',
      item.dateTime(0x420020, 1205495800n),
      '42002009 00000008 0000000047DA67F8',
    ],
    ['Interval 10 days', item.interval(0x420020, 864000), '4200200A 00000004 000D2F00 00000000'],
    [
      'Structure of an Enumeration 254 and an Integer 255',
      item.structure(0x420020, [item.enumeration(0x420004, 254), item.integer(0x420005, 255)]),
      '42002001 00000020 42000405 00000004 000000FE 00000000 42000502 00000004 000000FF 00000000',
    ],
  ])('encodes the example of KMIP 1.4 §9.1.2: %s', (_name, value, bytes) => {
    expect(encodeItem(value).toString('hex')).toBe(hex(bytes).toString('hex'));
    expect(comparable(decodeItem(hex(bytes)))).toEqual(comparable(value));
  });

  it.each([
    [0n, '0000000000000000'],
    [-1n, 'ffffffffffffffff'],
    [2n ** 63n - 1n, '7fffffffffffffff'],
    [2n ** 63n, '00000000000000008000000000000000'],
    [-(2n ** 63n), '8000000000000000'],
    [-(2n ** 63n) - 1n, 'ffffffffffffffff7fffffffffffffff'],
  ])('pads the Big Integer %s to the fewest whole words', (value, bytes) => {
    const encoded = encodeItem(item.bigInteger(0x420020, value));
    expect(encoded.subarray(8).toString('hex')).toBe(bytes);
    expect(decodeItem(encoded)).toEqual(item.bigInteger(0x420020, value));
  });

  it('decodes what it encoded, and encodes that to the same bytes', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const bytes = encodeItem(value);
        const decoded = decodeItem(bytes);
        expect(comparable(decoded)).toEqual(comparable(value));
        expect(encodeItem(decoded).equals(bytes)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['truncated', '420020020000'],
    ['truncated', '4200200200000004 00000008'],
    ['truncated', '4200200100000010 4200040500000004'],
    ['truncated', '42002008 FFFFFFFF 0000000000000000'],
    ['trailing_bytes', '4200200200000004 0000000800000000 00'],
    ['unknown_type', '4200200B00000004 0000000800000000'],
    ['unknown_type', '4200200000000004 0000000800000000'],
    ['wrong_length', '4200200200000005 0000000800000000'],
    ['wrong_length', '4200200400000000'],
    ['wrong_length', '4200200400000004 0000000800000000'],
    ['wrong_length', '4200200100000001 0000000000000000'],
    ['wrong_padding', '4200200200000004 0000000800000001'],
    ['wrong_padding', '4200200700000001 4100000000010000'],
    ['wrong_value', '4200200600000008 0000000000000002'],
    ['not_utf8', '4200200700000001 FF00000000000000'],
  ])('refuses %s: %s', (fault, bytes) => {
    expect(() => decodeItem(hex(bytes))).toThrow(expect.objectContaining({ fault }));
  });

  it('keeps its limits on depth, items and bytes', () => {
    const nest = (depth: number): Item => {
      let value = item.structure(0x420020, []);
      for (let level = 1; level < depth; level++) value = item.structure(0x420020, [value]);
      return value;
    };
    expect(decodeItem(encodeItem(nest(32))).type).toBe('structure');
    expect(() => decodeItem(encodeItem(nest(33)))).toThrow(
      expect.objectContaining({ fault: 'too_deep' }),
    );
    const wide = (count: number): Buffer =>
      encodeItem(
        item.structure(
          0x420020,
          Array.from({ length: count }, () => item.structure(0x420020, [])),
        ),
      );
    expect(decodeItem(wide(9_999)).type).toBe('structure');
    expect(() => decodeItem(wide(10_000))).toThrow(
      expect.objectContaining({ fault: 'too_many_items' }),
    );
    const long = encodeItem(item.byteString(0x420020, Buffer.alloc(1024 * 1024)));
    expect(() => decodeItem(long)).toThrow(expect.objectContaining({ fault: 'too_large' }));
  });

  it('answers any bytes with an item or a TtlvError, and an item encodes back to them', () => {
    const base = encodeItem(
      item.structure(0x420078, [
        item.structure(0x420077, [item.integer(0x42006a, 1), item.textString(0x420105, 'ab')]),
        item.byteString(0x420093, Buffer.from([1])),
        item.bigInteger(0x420020, 5n),
        item.boolean(0x420010, true),
      ]),
    );
    const mutation = fc.array(
      fc.record({ at: fc.nat(base.length - 1), byte: fc.nat(255), cut: fc.boolean() }),
      { minLength: 1, maxLength: 4 },
    );
    const mutated = mutation.map((changes) => {
      let bytes = Buffer.from(base);
      for (const { at, byte, cut } of changes) {
        if (at < bytes.length) bytes[at] = byte;
        if (cut && changes.length > 2) bytes = bytes.subarray(0, at);
      }
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(mutated, mutated, fc.uint8Array({ maxLength: 96 })), (bytes) => {
        let decoded: Item;
        try {
          decoded = decodeItem(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(TtlvError);
          return;
        }
        // A Big Integer may carry more sign words than needed; everything else is canonical.
        if (!hasBigInteger(decoded)) expect(encodeItem(decoded).equals(bytes)).toBe(true);
      }),
      { numRuns: FIGURES.ttlvMutations },
    );
  });

  it('knows the ten types of §9.1.1.2', () => {
    expect(Object.values(ITEM_TYPES)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

const hasBigInteger = (value: Item): boolean =>
  value.type === 'bigInteger' || (value.type === 'structure' && value.value.some(hasBigInteger));
