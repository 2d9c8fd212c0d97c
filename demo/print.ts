/** A promise of the product that did not hold; its message is the sentence that is not true. */
export class NotHeld extends Error {}

const colours = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
const paint = (code: number, text: string): string =>
  colours ? `\u001b[${code}m${text}\u001b[0m` : text;

export type Timings = Record<string, Record<string, number>>;

/** What the reader sees: titled blocks, commands, facts and check marks. */
export class Printer {
  readonly timings: Timings = {};
  #step = '';
  #number = 0;

  begin(name: string, title: string): void {
    this.#step = name;
    this.#number += 1;
    const head = ` ${this.#number}  ${title} `;
    this.line(`\n${paint(1, `──${head}${'─'.repeat(Math.max(2, 92 - head.length))}`)}`);
  }

  line(text = ''): void {
    process.stdout.write(`${text}\n`);
  }

  /** What happens next, or what it means. */
  say(text: string): void {
    for (const part of wrapped(text)) this.line(`  ${part}`);
  }

  /** What was typed. */
  command(text: string): void {
    this.line(`  ${paint(2, `$ ${text}`)}`);
  }

  /** A sentence that is either true here or ends the demo. @throws NotHeld */
  check(held: boolean, sentence: string): asserts held {
    const mark = held ? paint(32, '✓') : paint(31, '✗');
    const [first = '', ...rest] = wrapped(sentence);
    this.line(`  ${mark} ${first}`);
    for (const part of rest) this.line(`    ${part}`);
    if (!held) throw new NotHeld(sentence);
  }

  /** Keeps a figure for timings.json; the unit stands in its name. @returns the figure, rounded */
  measured(name: string, value: number): number {
    const rounded = Math.round(value * 100) / 100;
    (this.timings[this.#step] ??= {})[name] = rounded;
    return rounded;
  }
}

const WIDTH = 94;

function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** 4 210 ms → `4.2 s`, 12.34 ms → `12 ms`. */
export const duration = (ms: number): string =>
  ms >= 1_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms)} ms`;

/** 12345 → `12 345`. */
export const count = (value: number): string =>
  Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ' ');

export const plural = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
