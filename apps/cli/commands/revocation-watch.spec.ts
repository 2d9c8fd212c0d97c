import { heard, isSettled } from '../revocation.js';
import { linesOf } from './revocation-watch.js';

const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second)).toISOString();
const spoke = { id: 'edge:a', refusedAt: at(1), erasedAt: at(2), lastGrantEnds: at(20) };
const silent = { id: 'edge:b', refusedAt: null, erasedAt: null, lastGrantEnds: at(20) };
const unknown = { id: 'edge:c', refusedAt: null, erasedAt: null, lastGrantEnds: null };
const kill = {
  id: 'r1',
  kind: 'kill',
  stage: 'locked',
  hardBound: at(30),
  holders: [spoke, silent, unknown],
  receipt: null,
};
const when = (second: number) => Date.parse(at(second));

describe('Watching a revocation', () => {
  it('says who has acknowledged, and until when who is silent can serve', () => {
    expect(linesOf(kill, when(5))).toEqual([
      `kill r1  locked; no lease lives after ${at(30)}`,
      `edge:a  refused ${at(1)}, erased ${at(2)}`,
      `edge:b  silent; its last grant ends ${at(20)}`,
      `edge:c  silent; its last grant ends ${at(30)}`,
    ]);
    expect(linesOf(kill, when(20))[2]).toBe(`edge:b  silent; its last grant ended ${at(20)}`);
    const dropped = { ...kill, holders: [{ ...spoke, erasedAt: null }] };
    expect(linesOf(dropped, when(5))[1]).toBe(`edge:a  refused ${at(1)}, erasure not confirmed`);
  });

  it('says of a read-only that holders decrypt on', () => {
    const holders = [{ ...spoke, erasedAt: null }];
    expect(linesOf({ ...kill, kind: 'read-only', holders }, when(5))).toEqual([
      `read-only r1  locked; no lease that protects lives after ${at(30)}`,
      `edge:a  protects nothing since ${at(1)}, decrypts on`,
    ]);
  });

  it('says in one line how many have acknowledged, and who is silent until when', () => {
    expect(heard(kill, when(5))).toBe(
      `1 of 3 have acknowledged; edge:b silent until ${at(20)}; edge:c silent until ${at(30)}`,
    );
    expect(heard(kill, when(30))).toBe('1 of 3 have acknowledged');
  });

  it('is over when each holder has spoken or can serve no more, or when it was released', () => {
    expect([5, 29, 30].map((second) => isSettled(kill, when(second)))).toEqual([
      false,
      false,
      true,
    ]);
    expect(isSettled({ ...kill, holders: [spoke] }, when(5))).toBe(true);
    expect(isSettled({ ...kill, stage: 'released' }, when(5))).toBe(true);
  });
});
