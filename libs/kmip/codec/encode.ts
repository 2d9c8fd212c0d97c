import { never } from '@kcm/kernel';
import { ITEM_TYPES, type Item } from './ttlv.js';

const HEADER_BYTES = 8;
const padded = (length: number): number => Math.ceil(length / 8) * 8;

/**
 * TTLV bytes of one item (KMIP 1.4 §9.1), in a fresh buffer outside Node's pool, so that a message
 * holding a key can be overwritten after use.
 * @throws RangeError on a value that its type cannot hold: a mistake of the caller
 */
export function encodeItem(item: Item): Buffer {
  const lengths: number[] = [];
  const out = Buffer.alloc(measured(item, lengths));
  write(out, 0, item, lengths.values());
  return out;
}

/**
 * Bytes that the item takes on the wire, header and padding included. Leaves the Length field of
 * each item in the order in which they are written, so that no level is measured for each one above.
 */
function measured(item: Item, lengths: number[]): number {
  const at = lengths.push(0) - 1;
  const length =
    item.type === 'structure'
      ? item.value.reduce((sum, child) => sum + measured(child, lengths), 0)
      : valueLength(item);
  lengths[at] = length;
  return HEADER_BYTES + padded(length);
}

/** Bytes of a value without padding. */
function valueLength(item: Exclude<Item, { type: 'structure' }>): number {
  switch (item.type) {
    case 'integer':
    case 'enumeration':
    case 'interval':
      return 4;
    case 'longInteger':
    case 'boolean':
    case 'dateTime':
      return 8;
    case 'bigInteger':
      return bigIntegerBytes(item.value);
    case 'textString':
      return Buffer.byteLength(item.value, 'utf8');
    case 'byteString':
      return item.value.length;
    default:
      return never(item);
  }
}

/** Smallest multiple of 8 that holds the two's complement form (§9.1.1.4). */
function bigIntegerBytes(value: bigint): number {
  const magnitude = value < 0n ? -value - 1n : value;
  const bits = magnitude === 0n ? 1 : magnitude.toString(16).length * 4;
  let bytes = padded(Math.floor(bits / 8) + 1);
  // The hexadecimal estimate may be one word too long, never too short.
  if (bytes > 8 && BigInt.asIntN((bytes - 8) * 8, value) === value) bytes -= 8;
  return bytes;
}

function write(out: Buffer, at: number, item: Item, lengths: Iterator<number, unknown>): number {
  if (!Number.isInteger(item.tag) || item.tag < 0 || item.tag > 0xffffff)
    throw new RangeError('a tag has three bytes');
  out.writeUIntBE(item.tag, at, 3);
  out[at + 3] = ITEM_TYPES[item.type];
  const length = lengths.next().value as number;
  out.writeUInt32BE(length, at + 4);
  const from = at + HEADER_BYTES;
  switch (item.type) {
    case 'structure':
      return item.value.reduce((offset, child) => write(out, offset, child, lengths), from);
    case 'integer':
      out.writeInt32BE(item.value, from);
      break;
    case 'enumeration':
    case 'interval':
      out.writeUInt32BE(item.value, from);
      break;
    case 'longInteger':
    case 'dateTime':
      out.writeBigInt64BE(item.value, from);
      break;
    case 'boolean':
      out[from + 7] = item.value ? 1 : 0;
      break;
    case 'bigInteger': {
      const unsigned = BigInt.asUintN(length * 8, item.value);
      out.write(unsigned.toString(16).padStart(length * 2, '0'), from, 'hex');
      break;
    }
    case 'textString':
      out.write(item.value, from, 'utf8');
      break;
    case 'byteString':
      out.set(item.value, from);
      break;
  }
  return from + padded(length);
}
