import { printableJson, printableLine, printableText } from '@kcm/kernel';

const NESTED_MAX = 40;

/** One line a member, nested ones indented; lists of objects as a table. */
export function lines(value: unknown, indent = ''): string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${indent}(none)`];
    if (value.every((item) => typeof item === 'object' && item !== null))
      return table(value as Record<string, unknown>[]).map((line) => indent + line);
    return value.map((item) => `${indent}- ${flat(item)}`);
  }
  if (typeof value !== 'object' || value === null) return [indent + flat(value)];
  const width = Math.max(0, ...Object.keys(value).map((key) => key.length));
  return Object.entries(value).flatMap(([key, member]) =>
    typeof member === 'object' && member !== null
      ? [`${indent}${key}`, ...lines(member, `${indent}  `)]
      : [`${indent}${key.padEnd(width)}  ${flat(member)}`],
  );
}

function flat(value: unknown): string {
  if (value === null || value === undefined) return '-';
  return printableLine(typeof value === 'string' ? value : JSON.stringify(value));
}

/** A list or an object in a cell must not push the other columns away: `--json` shows it whole. */
function cell(value: unknown): string {
  const text = flat(value);
  const nested = typeof value === 'object' && value !== null;
  return nested && text.length > NESTED_MAX ? `${text.slice(0, NESTED_MAX - 1)}…` : text;
}

function table(rows: readonly Record<string, unknown>[]): string[] {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at]!.length)));
  return cells.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
}

const write = (text: string): void => void process.stdout.write(`${text}\n`);

export interface OutputMode {
  readonly json: boolean;
  readonly quiet: boolean;
}

/** One of many that come one by one: JSON stays on one line. */
export function printLine(value: object, text: string, mode: OutputMode): void {
  if (mode.quiet) return;
  write(mode.json ? printableJson(JSON.stringify(value)) : printableLine(text));
}

export function print(value: unknown, mode: OutputMode): void {
  if (mode.quiet || value === undefined || value === '') return;
  if (mode.json) write(printableJson(JSON.stringify(value, null, 2)));
  else if (typeof value === 'string') write(printableText(value.replace(/\n$/, '')));
  else write(lines(value).join('\n'));
}
