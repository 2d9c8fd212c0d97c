import { isWithin, nodesOf, parseTilePath, tilePath } from './tiles.js';

describe('a tile', () => {
  it.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 0, index: 1234067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ level: 1, index: 5, width: 3 }, 'tile/1/005.p/3'],
    [{ level: 0, index: 1000, width: 255 }, 'tile/0/x001/000.p/255'],
  ])('%j has the path %s and is found by it', (tile, path) => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
  });

  it.each([
    '',
    'tile/0/0',
    'tile/00/000',
    'tile/64/000',
    'tile/0/x000/001',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/999',
    'tile/0/x001/x234/x067/x999/x999/x999/999',
    'tile/0/000/',
    '../tile/0/000',
  ])('%j is no path of one', (path) => {
    expect(parseTilePath(path)).toBeNull();
  });

  it('names the nodes of the tree that it holds, and when they are there', () => {
    const tile = { level: 1, index: 2, width: 2 };
    expect(nodesOf(tile)).toEqual([
      { level: 8, index: 512 },
      { level: 8, index: 513 },
    ]);
    expect(isWithin(tile, 514 * 256)).toBe(true);
    expect(isWithin(tile, 514 * 256 - 1)).toBe(false);
  });
});
