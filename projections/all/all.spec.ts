import { projections } from './index.js';

describe('projections', () => {
  it('have names of their own, that a collection and a route can hold', () => {
    const names = projections.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !/^[a-z][a-z-]*$/.test(name))).toEqual([]);
  });

  it('name each event type once, and each index once', () => {
    for (const { handles, indexes } of projections) {
      expect(new Set(handles).size).toBe(handles.length);
      const texts = indexes.map(({ fields }) => fields.join());
      expect(new Set(texts).size).toBe(texts.length);
    }
  });
});
