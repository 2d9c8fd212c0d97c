import { assertCount, type Subtree } from './subtrees.js';

/** Hashes of a full tile, and levels of the tree that one level of tiles spans (C2SP tlog-tiles). */
export const TILE_HASHES = 256;
export const TILE_LEVELS = 8;

/** Of 1 to 256 hashes of the tree's level 8 · `level`, from index · 256 on. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

/** `tile/L/N[.p/W]`, N in groups of three digits (C2SP tlog-tiles §Merkle Tree). */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0');
  const groups = digits.match(/\d{3}/g)!;
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${path}${width < TILE_HASHES ? `.p/${width}` : ''}`;
}

/** null unless it is the one way to write a tile's path. */
export function parseTilePath(path: string): Tile | null {
  const parts =
    /^tile\/(0|[1-5]?\d|6[0-3])\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path);
  if (parts === null) return null;
  const width = parts[3] === undefined ? TILE_HASHES : Number(parts[3]);
  const tile = { level: Number(parts[1]), index: Number(parts[2]!.replace(/[x/]/g, '')), width };
  return Number.isSafeInteger(tile.index) && tilePath(tile) === path ? tile : null;
}

/** The nodes of the tree whose hashes the tile holds, in its order. */
export const nodesOf = ({ level, index, width }: Tile): Subtree[] =>
  Array.from({ length: width }, (_, at) => ({
    level: level * TILE_LEVELS,
    index: index * TILE_HASHES + at,
  }));

/** Whether a tree of `size` leaves has all of the tile's hashes. */
export function isWithin({ level, index, width }: Tile, size: number): boolean {
  assertCount('size', size);
  return (index * TILE_HASHES + width) * 2 ** (level * TILE_LEVELS) <= size;
}
