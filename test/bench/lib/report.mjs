// What a bench tells: one table with its goals, and what its figures do not show.
import Table from 'cli-table3';

const HEAD = ['', 'what', 'goal', 'seen', 'ratio', 'CPU/op', ''];

export const perSecond = (value) => `${Math.round(value).toLocaleString('en-US')}/s`;
export const micros = (value) => `${value.toFixed(value < 100 ? 1 : 0)} µs`;
export const millis = (value) => `${value.toFixed(value < 10 ? 3 : 1)} ms`;
const times = (value) => (value === null ? '' : value.toFixed(value < 20 ? 2 : 0));

/** What others are compared with: no goal of its own. */
export const base = (what, seen, cpuMicros) => ({ id: '', what, seen, ratio: 1, cpuMicros });

/**
 * A figure held against its goal: '≥' or '≤', a number, and what it counts. The goal is one of the
 * ratio unless `value` is given.
 */
export function against(id, what, goal, { seen, ratio = null, value = ratio, cpuMicros }) {
  const [sign, number, unit = '×'] = goal;
  const met = sign === '≥' ? value >= number : value <= number;
  const text = `${sign} ${number} ${unit}`;
  return { id, what, goal: text, seen, ratio, cpuMicros: cpuMicros ?? null, value, met };
}

export function printRows(rows) {
  const table = new Table({ head: HEAD, style: { head: [], border: [] } });
  for (const { id, what, goal = '', seen, ratio = null, cpuMicros = null, met } of rows)
    table.push([
      id,
      what,
      goal,
      seen,
      times(ratio),
      cpuMicros === null ? '' : micros(cpuMicros),
      met === undefined ? '' : met ? 'met' : 'missed',
    ]);
  console.log(table.toString());
}

/** Prints one bench and returns it as its JSON report has it. */
export function told({ name, rounds, rows, notShown, figures }) {
  printRows(rows);
  for (const line of notShown) console.log(`  not shown: ${line}`);
  return { name, rounds, rows, notShown, ...figures };
}
