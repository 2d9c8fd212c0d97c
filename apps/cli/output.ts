import { printableJson, printableLine, printableText } from '@kcm/kernel';
import { lines } from './human.js';
import { terminalOf } from './terminal.js';

export interface OutputMode {
  readonly json: boolean;
  readonly quiet: boolean;
}

const write = (text: string): void => void process.stdout.write(`${text}\n`);

/** One of many that come one by one: JSON stays on one line. @param text of it, for people */
export function printLine(value: object, text: string, mode: OutputMode): void {
  if (mode.json) write(printableJson(JSON.stringify(value)));
  else if (mode.quiet) idsOf([value]).forEach(write);
  else write(printableLine(text));
}

/** What calls a thing by its name in another command. */
function idsOf(value: unknown): string[] {
  return [value].flat().flatMap((item: unknown) => {
    if (typeof item !== 'object' || item === null) return [];
    const { id, name, position } = item as Record<string, unknown>;
    const called = id ?? name ?? position;
    return typeof called === 'string' ? [printableLine(called)] : [];
  });
}

/**
 * The result of a command: for people, as one JSON document, or as ids alone. A text is what was
 * asked for (a token, a ciphertext, a receipt) and is printed as it is however it is asked.
 */
export function print(value: unknown, mode: OutputMode): void {
  if (value === undefined || value === '') return;
  if (mode.json) write(printableJson(JSON.stringify(value, null, 2)));
  else if (typeof value === 'string') write(printableText(value).replace(/\n$/, ''));
  else if (mode.quiet) idsOf(value).forEach(write);
  else write(lines(value, terminalOf(process.stdout, process.env)).join('\n'));
}
