import { Seldom } from './seldom.js';

it('What happens often is told once in a while, with how many were not', () => {
  let now = 0;
  const seldom = new Seldom({ monotonicMs: () => now }, 10_000);
  expect([seldom.tell('a'), seldom.tell('a'), seldom.tell('a'), seldom.tell('b')]).toEqual([
    0,
    null,
    null,
    0,
  ]);
  now = 10_000;
  expect([seldom.tell('a'), seldom.tell('a'), seldom.tell('b')]).toEqual([2, null, 0]);
});
