import Table from 'cli-table3';
import { styleText } from 'node:util';
import type { Terminal } from './terminal.js';

const GAP = 2;
const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};

/** In this order they stay: what says something, lists and objects, what is empty in every row. */
enum Weight {
  plain,
  nested,
  empty,
}
interface Column {
  readonly name: string;
  readonly cells: readonly string[];
  /** How soon it goes where there is no room. */
  readonly weight: Weight;
  /** As wide as its longest cell, in columns of the terminal. */
  readonly natural: number;
  /** As wide as its longest word: no word is cut, for one may have to be copied. */
  readonly least: number;
}

/** @param widths without the gap; null: as wide as each column is */
function drawn(rows: readonly (readonly string[])[], widths: readonly number[] | null) {
  const table = new Table({
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': GAP, head: [], border: [], compact: true },
    ...(widths === null ? {} : { colWidths: widths.map((width) => width + GAP) }),
    ...(widths === null ? {} : { wordWrap: true, wrapOnWordBoundary: true }),
  });
  table.push(...rows.map((row) => [...row]));
  const lines = table.toString().split('\n');
  return { lines, widths: table.options.colWidths.map((width) => (width ?? 0) - GAP) };
}

/** The widest of the texts, in columns of a terminal: an emoji takes two. */
const widest = (texts: readonly string[]): number =>
  Math.max(
    0,
    ...drawn(
      texts.map((text) => [text]),
      null,
    ).widths,
  );

export interface Cell {
  readonly text: string;
  readonly nested: boolean;
}

function columnsOf(names: readonly string[], rows: readonly (readonly Cell[])[]): Column[] {
  return names.map((name, at) => {
    const cells = rows.map((row) => row[at]!.text);
    return {
      name,
      cells,
      weight: weightOf(rows.map((row) => row[at]!)),
      natural: widest([name, ...cells]),
      least: widest([name, ...cells].flatMap((text) => text.split(' '))),
    };
  });
}

function weightOf(cells: readonly Cell[]): Weight {
  if (cells.every(({ text }) => text === '-')) return Weight.empty;
  return cells.some(({ nested }) => nested) ? Weight.nested : Weight.plain;
}

const total = (widths: readonly number[]): number =>
  widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1);

/** Those that fit: of equal weight the widest go first, and of these the last; never the first. */
function shownOf(columns: readonly Column[], room: number): readonly Column[] {
  const [first, ...rest] = columns;
  const order = [...rest].sort((a, b) => a.weight - b.weight || a.least - b.least);
  const width = () => total([first!, ...order].map(({ least }) => least));
  while (order.length > 0 && width() > room) order.pop();
  return columns.filter((column) => column === first || order.includes(column));
}

/** What is left of the room goes to those that wrap, who needs the least first. */
function widthsOf(columns: readonly Column[], room: number): readonly number[] {
  let spare = Math.max(0, room - total(columns.map(({ least }) => least)));
  const widths = columns.map(({ least }) => least);
  const needs = columns.map(({ natural, least }, at) => ({ at, need: natural - least }));
  needs.sort((a, b) => a.need - b.need);
  needs.forEach(({ at, need }, done) => {
    const given = Math.min(need, Math.floor(spare / (needs.length - done)));
    widths[at]! += given;
    spare -= given;
  });
  return widths;
}

/**
 * Rows under their names, fitted to the terminal: cells wrap between words, columns without room
 * are left out and named. Where there is no terminal all of it stands there.
 */
export function table(
  names: readonly string[],
  rows: readonly (readonly Cell[])[],
  { columns: room, colour }: Terminal,
): string[] {
  const all = columnsOf(names, rows);
  const shown = room === null ? all : shownOf(all, room);
  const widths = room === null ? null : widthsOf(shown, room);
  const head = shown.map(({ name }) =>
    colour ? styleText('bold', name, { validateStream: false }) : name,
  );
  const body = rows.map((_, at) => shown.map(({ cells }) => cells[at]!));
  const { lines } = drawn([head, ...body], widths);
  const left = all.filter((column) => !shown.includes(column)).map(({ name }) => name);
  const more = left.length === 0 ? [] : [`(no room for ${left.join(', ')}: --json has them)`];
  return [...lines.map((line) => line.trimEnd()), ...more];
}
