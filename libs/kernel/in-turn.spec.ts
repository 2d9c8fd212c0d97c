import { inTurn } from './in-turn.js';

describe('Steps in turn', () => {
  it('are all made, one after the other, and the first failure is told at the end', async () => {
    const made: string[] = [];
    const failing = (name: string) => () => {
      made.push(name);
      throw new Error(name);
    };
    const slow = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      made.push('slow');
    };
    const running = inTurn([failing('first'), slow, failing('second'), () => made.push('last')]);
    await expect(running).rejects.toThrow('first');
    expect(made).toEqual(['first', 'slow', 'second', 'last']);
    await inTurn([]);
  });
});
