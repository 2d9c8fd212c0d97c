import { KeyedTurns, Turns } from './turns.js';

const later = (): { promise: Promise<void>; settle: () => void } => {
  let settle = (): void => undefined;
  const promise = new Promise<void>((resolve) => (settle = resolve));
  return { promise, settle };
};

describe('Turns', () => {
  it('run one after the other in the order of the calls, whatever the earlier ones did', async () => {
    const turns = new Turns();
    const done: string[] = [];
    const gate = later();
    const first = turns.take(async () => {
      await gate.promise;
      done.push('first');
      throw new Error('first fails');
    });
    const second = turns.take(async () => done.push('second'));
    await Promise.resolve();
    expect(done).toEqual([]);
    gate.settle();
    await expect(first).rejects.toThrow('first fails');
    await second;
    expect(done).toEqual(['first', 'second']);
  });

  it('of one name wait for each other and for no other name', async () => {
    const turns = new KeyedTurns();
    const done: string[] = [];
    const gate = later();
    const first = turns.take('a', async () => {
      await gate.promise;
      done.push('a1');
      throw new Error('a1 fails');
    });
    const second = turns.take('a', async () => done.push('a2'));
    await turns.take('b', async () => done.push('b1'));
    expect(done).toEqual(['b1']);
    gate.settle();
    await expect(first).rejects.toThrow('a1 fails');
    await second;
    expect(done).toEqual(['b1', 'a1', 'a2']);
  });
});
