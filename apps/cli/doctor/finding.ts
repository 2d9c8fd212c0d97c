/**
 * `wrong`: somebody must act. `degraded`: it serves, and somebody should look. `trial-grade`: true
 * of this set-up by choice, and not what a customer is promised. `note`: was not looked at.
 */
export type Level = 'wrong' | 'degraded' | 'trial-grade' | 'note';

export interface Finding {
  readonly level: Level;
  readonly part: string;
  readonly detail: string;
  /** What to type or do; null where there is nothing. */
  readonly next: string | null;
}

/** Whoever looks for what is wrong does not wait for what hangs. */
export const ANSWER_MS_MAX = 5_000;

const ORDER: readonly Level[] = ['wrong', 'degraded', 'trial-grade', 'note'];
export const worstFirst = (findings: readonly Finding[]): Finding[] =>
  [...findings].sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));

/** For a person: two lines a finding, and a last one that says it all. */
export function reportOf(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ level, part, detail, next }) => {
    const line = `${level.padEnd(11)}  ${part}: ${detail}`;
    return next === null ? [line] : [line, `${' '.repeat(13)}→ ${next}`];
  });
  const wrong = findings.filter(({ level }) => level === 'wrong').length;
  return [...lines, wrong === 0 ? 'Nothing is wrong.' : `Wrong: ${wrong}.`].join('\n');
}
