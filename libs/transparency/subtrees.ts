import { emptyRoot, nodeHash } from './hashes.js';

/** Leaves `from` (inclusive) to `to` (exclusive). */
export interface Range {
  readonly from: number;
  readonly to: number;
}
/** 2^level leaves from index · 2^level on: a node that never changes once it is there. */
export interface Subtree {
  readonly level: number;
  readonly index: number;
}

/** The largest power of two below n, where RFC 6962 §2.1 splits n > 1 leaves. */
export function splitOf(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** The complete subtrees of a range that begins at a split, left to right: largest first. */
export function subtreesOf({ from, to }: Range): Subtree[] {
  const parts: Subtree[] = [];
  for (let at = from; at < to;) {
    let level = 0;
    let width = 1;
    while (at + width * 2 <= to) {
      width *= 2;
      level += 1;
    }
    if (at % width !== 0) throw new RangeError(`no subtree begins at ${at} with ${width} leaves`);
    parts.push({ level, index: at / width });
    at += width;
  }
  return parts;
}

/** The hash of a range from those of its complete subtrees, left to right. */
export function foldSubtrees(hashes: readonly Uint8Array[]): Buffer {
  if (hashes.length === 0) return emptyRoot();
  const [last, ...rest] = hashes.toReversed();
  return rest.reduce<Buffer>((right, left) => nodeHash(left, right), Buffer.from(last!));
}

/** Refuses what is no size or index of a tree. @throws RangeError */
export function assertCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a ${name}: ${value}`);
}
