import { type Key, rewrapped } from './rewrap.js';

const key = (id: string, level: 'L2' | 'L3', parent: string, versions: readonly string[]): Key => ({
  id,
  level,
  versions: versions.map((by, at) => ({ version: at + 1, wrappedBy: { id: parent, version: by } })),
});

it('After a rotation of the L2, the versions below it are counted by which of its versions wraps them', () => {
  const l2 = key('l2-a', 'L2', 'rk-a', ['1', '1']);
  const other = key('l3-c', 'L3', 'l2-b', ['1']);
  const below = [key('l3-a', 'L3', 'l2-a', ['1', '2']), key('l3-b', 'L3', 'l2-a', ['2'])];
  expect(rewrapped([l2, other, ...below], l2)).toEqual({ done: 2, all: 3 });
});
