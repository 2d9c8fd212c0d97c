import { RefusedTokens } from './refused-tokens.js';

it('A refused token is known for a moment, and of very many the last', () => {
  let now = 0;
  const refused = new RefusedTokens(() => now);
  expect(refused.has('made-up')).toBe(false);
  refused.add('made-up');
  expect([refused.has('made-up'), refused.has('other')]).toEqual([true, false]);
  now = 4_999;
  expect(refused.has('made-up')).toBe(true);
  now = 5_000;
  expect(refused.has('made-up')).toBe(false);
  refused.add('first');
  for (let n = 0; n < 10_000; n += 1) refused.add(`t${n}`);
  expect([refused.has('first'), refused.has('t0'), refused.has('t9999')]).toEqual([
    false,
    true,
    true,
  ]);
});
