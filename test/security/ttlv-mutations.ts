import { decodeItem, encodeItem, type Item, ITEM_TYPES, type ItemType, Tag } from '@kcm/kmip';
import type { Seeded } from '../support/seeded.js';

/** An item that can be changed in place. */
type Node = { tag: number; type: ItemType; value: unknown };
type Structure = Node & { value: Node[] };

const HEADER_BYTES = 8;
const TAGS = Object.values(Tag);
const TYPES = Object.keys(ITEM_TYPES) as ItemType[];
/** Levels that an item is pushed down. */
const DEPTHS = [1, 1, 1, 1, 2, 2, 3, 40];
/** Values at the edge of what each type, and what stands behind it, can take. */
const EDGES: { readonly [T in Exclude<ItemType, 'structure'>]: readonly unknown[] } = {
  integer: [0, 1, -1, 2, 129, 10_001, 2 ** 31 - 1, -(2 ** 31)],
  longInteger: [0n, 1n, -1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)],
  bigInteger: [0n, -1n, 2n ** 64n, 2n ** 4095n, -(2n ** 511n)],
  enumeration: [0, 1, 2, 3, 5, 0x0d, 0x100, 0x7fff_ffff, 2 ** 32 - 1],
  boolean: [true, false],
  textString: [
    '',
    '\u0000',
    '../..',
    '__proto__',
    'kcm/l3/billing/acme',
    'acme/l3-0123456789ab/2',
    'acme/l3-0123456789ab/999999999',
    'y-kcm-term',
    'x-kcm-ack',
    '\u{10ffff}'.repeat(300),
    'x'.repeat(70_000),
  ],
  byteString: [Buffer.alloc(0), Buffer.alloc(1), Buffer.alloc(32, 7), Buffer.alloc(70_000, 1)],
  dateTime: [0n, -1n, 2n ** 63n - 1n, 8_640_000_000_001n],
  interval: [0, 1, 2 ** 32 - 1],
};

/** Messages that are nearly right: changed in their structure, in their bytes, or in both. */
export class TtlvMutator {
  constructor(private readonly draws: Seeded) {}

  mutated(message: Buffer): Buffer {
    const how = this.draws.between(0, 3);
    const shaped = how === 0 ? Buffer.from(message) : this.#reshaped(message);
    return how === 0 || how === 3 ? this.#scrambled(shaped) : shaped;
  }

  #reshaped(message: Buffer): Buffer {
    const root = thawed(decodeItem(message));
    for (let left = this.draws.between(1, 3); left > 0; left -= 1) this.#reshape(root);
    // Half of them are told right, so that what is wrong is found further in.
    if (this.draws.between(0, 1) === 0) recount(root);
    return encodeItem(root as Item);
  }

  #reshape(root: Structure): void {
    const { draws } = this;
    const structures = structuresIn(root);
    const { value: children } = draws.pick(structures);
    if (children.length === 0) return;
    const at = draws.between(0, children.length - 1);
    const child = children[at]!;
    switch (draws.between(0, 8)) {
      case 0:
        return void children.splice(at, 1);
      case 1: {
        const times = draws.between(0, 200) === 0 ? 3_000 : draws.between(1, 4);
        return void children.splice(at, 0, ...Array.from({ length: times }, () => copied(child)));
      }
      case 2: {
        const other = draws.between(0, children.length - 1);
        [children[at], children[other]] = [children[other]!, child];
        return;
      }
      case 3:
        return void children.splice(
          at,
          0,
          copied(draws.pick(draws.pick(structures).value) ?? child),
        );
      case 4:
        child.tag = draws.between(0, 3) === 0 ? draws.between(0, 0xffffff) : draws.pick(TAGS);
        return;
      case 5:
        return this.#revalue(child, draws.pick(TYPES));
      case 6:
        for (let depth = draws.pick(DEPTHS); depth > 0; depth -= 1)
          children[at] = { tag: child.tag, type: 'structure', value: [children[at]!] };
        return;
      default:
        return this.#revalue(child, child.type);
    }
  }

  #revalue(node: Node, type: ItemType): void {
    const inside = copied(node);
    node.type = type;
    node.value = type === 'structure' ? [inside] : this.draws.pick(EDGES[type]);
  }

  #scrambled(message: Buffer): Buffer {
    const { draws } = this;
    let bytes: Buffer = Buffer.from(message);
    for (let left = draws.between(1, 3); left > 0; left -= 1) bytes = this.#scramble(bytes);
    if (bytes.length >= HEADER_BYTES && draws.between(0, 1) === 0)
      bytes.writeUInt32BE((bytes.length - HEADER_BYTES) & ~7, 4);
    return bytes;
  }

  #scramble(bytes: Buffer): Buffer {
    const { draws } = this;
    if (bytes.length < 2 * HEADER_BYTES) return bytes;
    const at = draws.between(0, bytes.length - 1);
    const header = draws.pick(headersIn(bytes));
    switch (draws.between(0, 6)) {
      case 0:
        bytes[at]! ^= 1 << draws.between(0, 7);
        return bytes;
      case 1:
        return bytes.subarray(0, at);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + draws.between(1, 16))]);
      case 3:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(draws.between(0, at))]);
      case 4:
        bytes[header + 3] = draws.between(0, 12);
        return bytes;
      default: {
        const told = bytes.readUInt32BE(header + 4);
        const lies = [0, 1, told + 1, told + 8, told - 8, 0x7fff_fff8, 0xffff_ffff, bytes.length];
        bytes.writeUInt32BE(draws.pick(lies) >>> 0, header + 4);
        return bytes;
      }
    }
  }
}

const isStructure = (node: Node): node is Structure => node.type === 'structure';

function thawed(item: Item): Structure {
  const thaw = ({ tag, type, value }: Item): Node =>
    type === 'structure' ? { tag, type, value: value.map(thaw) } : { tag, type, value };
  return thaw(item) as Structure;
}

function copied(node: Node): Node {
  return isStructure(node) ? { ...node, value: node.value.map(copied) } : { ...node };
}

const structuresIn = (node: Node): Structure[] =>
  isStructure(node) ? [node, ...node.value.flatMap(structuresIn)] : [];

/** Makes the header's Batch Count the number of items that follow it. */
function recount(root: Structure): void {
  const items = root.value.filter(({ tag }) => tag === Tag.BatchItem).length;
  for (const structure of structuresIn(root))
    for (const node of structure.value)
      if (node.tag === Tag.BatchCount && node.type === 'integer') node.value = items;
}

/** Where items begin, as far as the lengths can be followed. */
function headersIn(bytes: Buffer): readonly number[] {
  const found: number[] = [];
  const walk = (from: number, until: number): void => {
    for (let at = from; at + HEADER_BYTES <= until && found.length < 1_000;) {
      found.push(at);
      const end = at + HEADER_BYTES + Math.ceil(bytes.readUInt32BE(at + 4) / 8) * 8;
      if (bytes[at + 3] === ITEM_TYPES.structure) walk(at + HEADER_BYTES, Math.min(end, until));
      at = end;
    }
  };
  walk(0, bytes.length);
  return found;
}
