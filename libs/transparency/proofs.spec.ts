import { GrowingTree } from './growing-tree.js';
import { emptyRoot, leafHash } from './hashes.js';
import {
  consistencyRanges,
  inclusionRanges,
  verifyConsistency,
  verifyInclusion,
} from './proofs.js';
import { foldSubtrees, type Range, subtreesOf } from './subtrees.js';

/** The test vectors of RFC 6962's reference implementation: entries, and the root after each. */
const ENTRIES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657'].concat(
  '606162636465666768696a6b6c6d6e6f',
);
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const SIZE_MAX = 40;

const nodes = new Map<string, Buffer>();
const roots: Buffer[] = [emptyRoot()];
const leaves = Array.from({ length: SIZE_MAX }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));
const tree = new GrowingTree();
for (const leaf of leaves) {
  for (const { level, index, hash } of tree.append(leaf)) nodes.set(`${level}/${index}`, hash);
  roots.push(tree.root());
}
const hashOf = (range: Range) =>
  foldSubtrees(subtreesOf(range).map(({ level, index }) => nodes.get(`${level}/${index}`)!));
const flipped = (hash: Uint8Array) =>
  Uint8Array.from(hash, (byte, at) => (at === 7 ? byte ^ 1 : byte));

describe('the tree', () => {
  it('has the published roots of RFC 6962', () => {
    const growing = new GrowingTree();
    expect(growing.root().equals(emptyRoot())).toBe(true);
    const seen = ENTRIES.map((entry) => {
      growing.append(leafHash(Buffer.from(entry, 'hex')));
      return growing.root().toString('hex');
    });
    expect(seen).toEqual(ROOTS);
  });

  it('goes on from its edge as if it had never stopped', () => {
    for (let size = 0; size <= SIZE_MAX; size += 1) {
      const edge = subtreesOf({ from: 0, to: size }).map(({ level, index }) =>
        nodes.get(`${level}/${index}`)!,
      );
      const resumed = GrowingTree.resume(size, edge);
      expect(resumed.root().equals(roots[size]!)).toBe(true);
      for (const leaf of leaves.slice(size)) resumed.append(leaf);
      expect(resumed.root().equals(roots[SIZE_MAX]!)).toBe(true);
    }
    expect(() => GrowingTree.resume(3, [roots[1]!])).toThrow(RangeError);
  });
});

describe('an inclusion proof', () => {
  it('holds for every leaf of every size, and for no other leaf, place, size or root', () => {
    for (let size = 1; size <= SIZE_MAX; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const path = inclusionRanges(index, size).map(hashOf);
        const claim = { index, size, leaf: leaves[index]!, path, root: roots[size]! };
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, leaf: flipped(claim.leaf) })).toBe(false);
        expect(verifyInclusion({ ...claim, root: flipped(claim.root) })).toBe(false);
        expect(verifyInclusion({ ...claim, index: index + 1 })).toBe(false);
        expect(verifyInclusion({ ...claim, path: [...path, roots[1]!] })).toBe(false);
        if (path.length > 0) expect(verifyInclusion({ ...claim, path: path.slice(1) })).toBe(false);
        path.forEach((hash, at) => {
          expect(
            verifyInclusion({ ...claim, path: path.with(at, Buffer.from(flipped(hash))) }),
          ).toBe(false);
        });
      }
    }
  });

  it.each([
    [-1, 4],
    [4, 4],
    [0, 0],
    [0.5, 4],
    [0, NaN],
  ])('of leaf %d in %d leaves there is none', (index, size) => {
    expect(() => inclusionRanges(index, size)).toThrow(RangeError);
    const rest = { leaf: leaves[0]!, path: [], root: roots[1]! };
    expect(verifyInclusion({ index, size, ...rest })).toBe(false);
  });
});

describe('a consistency proof', () => {
  it('holds between every two sizes, and for no other sizes or roots', () => {
    for (let second = 1; second <= SIZE_MAX; second += 1) {
      for (let first = 1; first <= second; first += 1) {
        const path = consistencyRanges(first, second).map(hashOf);
        const before = { size: first, root: roots[first]! };
        const after = { size: second, root: roots[second]! };
        expect(verifyConsistency({ first: before, second: after, path })).toBe(true);
        const forged = { ...before, root: flipped(before.root) };
        expect(verifyConsistency({ first: forged, second: after, path })).toBe(false);
        const other = { ...after, root: flipped(after.root) };
        expect(verifyConsistency({ first: before, second: other, path })).toBe(false);
        const more = [...path, roots[1]!];
        expect(verifyConsistency({ first: before, second: after, path: more })).toBe(false);
        path.forEach((hash, at) => {
          const wrong = path.with(at, Buffer.from(flipped(hash)));
          expect(verifyConsistency({ first: before, second: after, path: wrong })).toBe(false);
        });
      }
    }
  });

  it('of a rewritten history is refused', () => {
    const rewritten = new GrowingTree();
    leaves.forEach((leaf, at) => rewritten.append(at === 3 ? flipped(leaf) : leaf));
    const first = { size: 20, root: roots[20]! };
    const second = { size: SIZE_MAX, root: rewritten.root() };
    const path = consistencyRanges(20, SIZE_MAX).map(hashOf);
    expect(verifyConsistency({ first, second, path })).toBe(false);
  });

  it.each([
    [0, 4],
    [5, 4],
    [1.5, 4],
  ])('from %d to %d leaves there is none', (first, second) => {
    expect(() => consistencyRanges(first, second)).toThrow(RangeError);
    const claim = {
      first: { size: first, root: roots[1]! },
      second: { size: second, root: roots[4]! },
    };
    expect(verifyConsistency({ ...claim, path: [] })).toBe(false);
  });
});
