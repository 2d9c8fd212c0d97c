import { LIMITS } from '@kcm/kernel';
import { HeldBytes, type Holder } from './held-bytes.js';

describe('What connections hold', () => {
  const SIZE = LIMITS.edgeHeaderBytesMax;
  let gone: string[];
  const holder = (name: string): Holder => ({ giveUp: () => void gone.push(name) });
  beforeEach(() => {
    gone = [];
  });

  it('has an end for all together: the one that got on least recently gives up', () => {
    const held = new HeldBytes(3 * SIZE);
    const [first, second, third] = [holder('first'), holder('second'), holder('third')];
    held.hold(first, SIZE, false);
    held.hold(second, SIZE, false);
    held.hold(third, SIZE, false);
    expect(gone).toEqual([]);
    // More of the same request is no progress; an answer is.
    held.hold(second, SIZE + 1, false);
    expect(gone).toEqual(['first']);
    held.hold(second, SIZE, true);
    held.hold(third, 2 * SIZE + 1, false);
    expect(gone).toEqual(['first', 'third']);
    expect(held.bytes).toBe(SIZE);
  });

  it('is let go of, and small requests are not counted', () => {
    const held = new HeldBytes(SIZE);
    const one = holder('one');
    held.hold(one, SIZE, false);
    held.hold(one, 0, false);
    for (let n = 0; n < 10; n += 1) held.hold(holder('small'), SIZE - 1, false);
    expect([held.bytes, gone]).toEqual([0, []]);
  });
});
