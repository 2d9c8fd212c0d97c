import { lines } from './output.js';

describe('What a person reads', () => {
  it('is a table whose nested cells are shortened, and whose plain ones are whole', () => {
    const id = 'sub-'.padEnd(60, 'a');
    const nested = { changes: Array.from({ length: 30 }, (_, at) => `field-${at}`) };
    const [head, row] = lines([{ id, nested, last: 'x' }]);
    expect(head).toBe(`${'id'.padEnd(60)}  ${'nested'.padEnd(40)}  last`);
    expect(row).toBe(`${id}  ${JSON.stringify(nested).slice(0, 39)}…  x`);
  });

  it('shows a nested cell that is short as it is', () => {
    expect(lines([{ ids: ['a', 'b'] }])[1]).toBe('["a","b"]');
  });

  it('shows everything of one thing', () => {
    const text = 'a'.repeat(90);
    expect(lines({ policy: { text } })).toEqual(['policy', `  text  ${text}`]);
  });
});
