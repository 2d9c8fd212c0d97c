import { boundedLines } from './log-lines.js';

describe('A log whose reader stands still', () => {
  const line = `${'x'.repeat(99_999)}\n`;
  let taken: string[];
  let waiting: string[];
  let write: (line: string) => void;
  beforeEach(() => {
    taken = [];
    waiting = [];
    const out = {
      get writableLength(): number {
        return waiting.join('').length;
      },
      write: (text: string) => waiting.push(text),
    };
    write = boundedLines(out, (lost) => `${lost} lost\n`);
  });

  it('keeps a bounded rest of it waiting, and says what was lost when it is read again', () => {
    for (let n = 0; n < 100; n += 1) write(line);
    expect(waiting.join('').length).toBeLessThan(1_200_000);
    const kept = waiting.length;
    taken = waiting.splice(0);
    expect(new Set(taken)).toEqual(new Set([line]));
    write('again\n');
    write('and again\n');
    expect(waiting).toEqual([`${100 - kept} lost\n`, 'again\n', 'and again\n']);
  });
});
