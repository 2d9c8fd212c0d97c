import { nodeHash } from './hashes.js';
import { assertCount, type Range, splitOf } from './subtrees.js';

/**
 * The ranges whose hashes prove that leaf `index` is in the tree of `size` leaves, in the order of
 * the proof (RFC 6962 §2.1.1). @throws RangeError unless 0 ≤ index < size
 */
export function inclusionRanges(index: number, size: number): Range[] {
  assertCount('index', index);
  assertCount('size', size);
  if (index >= size) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  const path: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      path.push({ from: middle, to });
      to = middle;
    } else {
      path.push({ from, to: middle });
      from = middle;
    }
  }
  return path.toReversed();
}

/**
 * The ranges whose hashes prove that the tree of `first` leaves is the beginning of that of
 * `second` (RFC 6962 §2.1.2); none for equal sizes. @throws RangeError unless 0 < first ≤ second
 */
export function consistencyRanges(first: number, second: number): Range[] {
  assertCount('size', first);
  assertCount('size', second);
  if (first === 0 || first > second) throw new RangeError(`no proof from ${first} to ${second}`);
  const path: Range[] = [];
  let [from, to] = [0, second];
  while (to !== first) {
    const middle = from + splitOf(to - from);
    if (first <= middle) {
      path.push({ from: middle, to });
      to = middle;
    } else {
      path.push({ from, to: middle });
      from = middle;
    }
  }
  // The old tree itself is what the verifier has, unless it is only a part of it.
  if (from > 0) path.push({ from, to });
  return path.toReversed();
}

/** Whether the path leads from the leaf's hash to the root (RFC 9162 §2.1.3.2). Never throws. */
export function verifyInclusion(claim: {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly path: readonly Uint8Array[];
  readonly root: Uint8Array;
}): boolean {
  const { index, size, leaf, path, root } = claim;
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  let [node, last] = [index, size - 1];
  let hash: Buffer = Buffer.from(leaf);
  for (const sibling of path) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else hash = nodeHash(hash, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && hash.equals(root);
}

/** Whether the path shows that one tree begins the other (RFC 9162 §2.1.4.2). Never throws. */
export function verifyConsistency(claim: {
  readonly first: { readonly size: number; readonly root: Uint8Array };
  readonly second: { readonly size: number; readonly root: Uint8Array };
  readonly path: readonly Uint8Array[];
}): boolean {
  const { first, second, path } = claim;
  if (!isCount(first.size) || !isCount(second.size)) return false;
  if (first.size === 0 || first.size > second.size) return false;
  if (first.size === second.size)
    return path.length === 0 && Buffer.from(first.root).equals(second.root);
  const steps = isPowerOfTwo(first.size) ? [first.root, ...path] : [...path];
  const start = steps.shift();
  if (start === undefined) return false;
  let [node, last] = [first.size - 1, second.size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  let [old, now]: [Buffer, Buffer] = [Buffer.from(start), Buffer.from(start)];
  for (const sibling of steps) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      old = nodeHash(sibling, old);
      now = nodeHash(sibling, now);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else now = nodeHash(now, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && old.equals(first.root) && now.equals(second.root);
}

const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
const isOdd = (value: number) => value % 2 === 1;
const half = (value: number) => Math.floor(value / 2);
const isPowerOfTwo = (value: number) => splitOf(value + 1) === value;
