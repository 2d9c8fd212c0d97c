import { printableLine } from '@kcm/kernel';
import { type Cell, table } from './table.js';
import type { Terminal } from './terminal.js';

const NESTED_MAX = 40;

/** One line a member, nested ones indented; lists of objects as a table. */
export function lines(value: unknown, terminal: Terminal, indent = ''): string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${indent}(none)`];
    if (value.every((item) => typeof item === 'object' && item !== null))
      return listed(value as Record<string, unknown>[], terminal, indent);
    return value.flatMap((item) => listItem(item, indent));
  }
  if (typeof value !== 'object' || value === null) return [indent + flat(value)];
  const width = Math.max(0, ...Object.keys(value).map((key) => printableLine(key).length));
  return Object.entries(value).flatMap(([key, member]) => {
    const name = printableLine(key);
    const below = `${indent}  `;
    if (typeof member === 'object' && member !== null)
      return [indent + name, ...lines(member, terminal, below)];
    if (typeof member === 'string' && member.includes('\n'))
      return [indent + name, ...member.split('\n').map((line) => below + printableLine(line))];
    return [`${indent}${name.padEnd(width)}  ${flat(member)}`];
  });
}

/** A block of lines (a share that is encrypted) stands at the margin, so that it can be copied. */
function listItem(value: unknown, indent: string): string[] {
  if (typeof value !== 'string' || !value.includes('\n')) return [`${indent}- ${flat(value)}`];
  return [`${indent}-`, ...value.trim().split('\n').map(printableLine)];
}

/** One value on one line. */
export function flat(value: unknown): string {
  if (value === null || value === undefined) return '-';
  return printableLine(typeof value === 'string' ? value : JSON.stringify(value));
}

/** On a terminal a list or an object in a cell must not push the others away. */
function cell(value: unknown, { columns }: Terminal): Cell {
  const text = flat(value);
  const nested = typeof value === 'object' && value !== null;
  const long = nested && columns !== null && text.length > NESTED_MAX;
  return { text: long ? `${text.slice(0, NESTED_MAX - 1)}…` : text, nested };
}

function listed(
  rows: readonly Record<string, unknown>[],
  terminal: Terminal,
  indent: string,
): string[] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => names.map((name) => cell(row[name], terminal)));
  const { columns, colour } = terminal;
  const inside = columns === null ? null : Math.max(1, columns - indent.length);
  const drawn = table(names.map(printableLine), cells, { columns: inside, colour });
  return drawn.map((line) => indent + line);
}
