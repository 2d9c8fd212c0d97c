import { LIMITS, never } from '@kcm/kernel';
import { TtlvError } from './errors.js';
import { ITEM_TYPES, type Item, type ItemType } from './ttlv.js';

const HEADER_BYTES = 8;
const TYPE_OF_CODE = new Map<number, ItemType>(
  Object.entries(ITEM_TYPES).map(([type, code]) => [code, type as ItemType]),
);
const FIXED_LENGTH: { readonly [T in ItemType]?: number } = {
  integer: 4,
  longInteger: 8,
  enumeration: 4,
  boolean: 8,
  dateTime: 8,
  interval: 4,
};
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface DecodeLimits {
  readonly bytesMax: number;
  readonly depthMax: number;
  readonly itemsMax: number;
}
export const DECODE_LIMITS: DecodeLimits = {
  bytesMax: LIMITS.ttlvMessageBytesMax,
  depthMax: LIMITS.ttlvDepthMax,
  itemsMax: LIMITS.ttlvItemsMax,
};

/**
 * The one item that `bytes` hold, nothing before or after. Byte strings are views into `bytes`, not
 * copies: overwriting the message overwrites them.
 * @throws TtlvError, and nothing else, whatever the bytes are
 */
export function decodeItem(bytes: Uint8Array, limits: DecodeLimits = DECODE_LIMITS): Item {
  if (bytes.length > limits.bytesMax)
    throw new TtlvError('too_large', 0, `more than ${limits.bytesMax} bytes`);
  const reader = new TtlvReader(
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    limits,
  );
  const { item, end } = reader.read(0, bytes.length, 1);
  if (end !== bytes.length) throw new TtlvError('trailing_bytes', end, 'bytes after the message');
  return item;
}

class TtlvReader {
  #items = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly limits: DecodeLimits,
  ) {}

  /** Reads the item at `at`; it may use bytes up to `until`. */
  read(at: number, until: number, depth: number): { item: Item; end: number } {
    if (depth > this.limits.depthMax)
      throw new TtlvError('too_deep', at, `deeper than ${this.limits.depthMax}`);
    if (++this.#items > this.limits.itemsMax)
      throw new TtlvError('too_many_items', at, `more than ${this.limits.itemsMax} items`);
    if (until - at < HEADER_BYTES) throw new TtlvError('truncated', at, 'no whole item header');
    const tag = this.bytes.readUIntBE(at, 3);
    const type = TYPE_OF_CODE.get(this.bytes[at + 3]!);
    if (type === undefined) throw new TtlvError('unknown_type', at + 3, 'unknown item type');
    const length = this.bytes.readUInt32BE(at + 4);
    const from = at + HEADER_BYTES;
    const end = from + Math.ceil(length / 8) * 8;
    if (end > until) throw new TtlvError('truncated', at + 4, 'the length exceeds what is there');
    const fixed = FIXED_LENGTH[type];
    if (fixed !== undefined && length !== fixed)
      throw new TtlvError('wrong_length', at + 4, `a length of ${length} for ${type}`);
    for (let pad = from + length; pad < end; pad++)
      if (this.bytes[pad] !== 0) throw new TtlvError('wrong_padding', pad, 'padding not zero');
    return { item: this.value(tag, type, from, length, depth), end };
  }

  private value(tag: number, type: ItemType, from: number, length: number, depth: number): Item {
    const { bytes } = this;
    switch (type) {
      case 'structure':
        return { tag, type, value: this.children(from, length, depth) };
      case 'integer':
        return { tag, type, value: bytes.readInt32BE(from) };
      case 'enumeration':
      case 'interval':
        return { tag, type, value: bytes.readUInt32BE(from) };
      case 'longInteger':
      case 'dateTime':
        return { tag, type, value: bytes.readBigInt64BE(from) };
      case 'boolean': {
        const value = bytes.readBigUInt64BE(from);
        if (value > 1n) throw new TtlvError('wrong_value', from, 'a Boolean is 0 or 1');
        return { tag, type, value: value === 1n };
      }
      case 'bigInteger': {
        if (length === 0 || length % 8 !== 0)
          throw new TtlvError('wrong_length', from, 'a Big Integer has whole words of 8 bytes');
        const unsigned = BigInt(`0x${bytes.toString('hex', from, from + length)}`);
        return { tag, type, value: BigInt.asIntN(length * 8, unsigned) };
      }
      case 'textString':
        try {
          return { tag, type, value: utf8.decode(bytes.subarray(from, from + length)) };
        } catch {
          throw new TtlvError('not_utf8', from, 'a Text String is not UTF-8');
        }
      case 'byteString':
        return { tag, type, value: bytes.subarray(from, from + length) };
      default:
        return never(type);
    }
  }

  private children(from: number, length: number, depth: number): readonly Item[] {
    if (length % 8 !== 0)
      throw new TtlvError('wrong_length', from, 'a Structure has whole words of 8 bytes');
    const children: Item[] = [];
    const until = from + length;
    for (let at = from; at < until;) {
      const { item, end } = this.read(at, until, depth + 1);
      children.push(item);
      at = end;
    }
    return children;
  }
}
