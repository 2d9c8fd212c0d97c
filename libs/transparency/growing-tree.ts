import { nodeHash } from './hashes.js';
import { assertCount, foldSubtrees, type Subtree, subtreesOf } from './subtrees.js';

/** A node that a leaf completed, with its hash. */
export interface Completed extends Subtree {
  readonly hash: Buffer;
}

/**
 * The right edge of a growing tree: all that is needed to take the next leaf and to say the root.
 * It holds at most 53 hashes, whatever its size.
 */
export class GrowingTree {
  #size = 0;
  /** Of the complete subtrees, left to right. */
  #edge: { readonly level: number; readonly hash: Buffer }[] = [];

  /**
   * A tree of that size, from the hashes of its complete subtrees (see `subtreesOf`).
   * @throws RangeError when their number does not fit the size
   */
  static resume(size: number, hashes: readonly Uint8Array[]): GrowingTree {
    assertCount('size', size);
    const parts = subtreesOf({ from: 0, to: size });
    if (parts.length !== hashes.length) throw new RangeError(`not the edge of ${size} leaves`);
    const tree = new GrowingTree();
    tree.#size = size;
    tree.#edge = parts.map(({ level }, at) => ({ level, hash: Buffer.from(hashes[at]!) }));
    return tree;
  }

  get size(): number {
    return this.#size;
  }

  root(): Buffer {
    return foldSubtrees(this.#edge.map(({ hash }) => hash));
  }

  /** Takes the next leaf's hash. @returns the nodes that it completed, the leaf first */
  append(leaf: Uint8Array): Completed[] {
    let node: Completed = { level: 0, index: this.#size, hash: Buffer.from(leaf) };
    const completed = [node];
    for (let left = this.#edge.at(-1); left?.level === node.level; left = this.#edge.at(-1)) {
      this.#edge.pop();
      const hash = nodeHash(left.hash, node.hash);
      node = { level: node.level + 1, index: (node.index - 1) / 2, hash };
      completed.push(node);
    }
    this.#edge.push({ level: node.level, hash: node.hash });
    this.#size += 1;
    return completed;
  }
}
