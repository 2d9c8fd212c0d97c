import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { kcmProgram } from './kcm-program.js';

interface Node {
  readonly path: string;
  readonly command: Command;
}
const walk = (command: Command, path: string): Node[] =>
  command.commands.flatMap((one) => {
    const here = `${path} ${one.name()}`;
    return [{ path: here, command: one }, ...walk(one, here)];
  });

/** The help of a command as it is printed, what is added after it included. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (more) => (text += more) });
  command.outputHelp();
  return text;
}

describe('Every command of kcm', () => {
  const all = walk(kcmProgram(), 'kcm');
  const leaves = all.filter(({ command }) => command.commands.length === 0);

  it('is described', () => {
    expect(leaves.length).toBeGreaterThan(40);
    expect(all.filter(({ command }) => command.description() === '')).toEqual([]);
  });

  it.each(leaves)('$path has help with an example of its own', ({ path, command }) => {
    const example = /\nExample:\n {2}(.+)\n/.exec(helpOf(command))?.[1] ?? '';
    expect(example === path || example.startsWith(`${path} `) ? '' : example).toBe('');
    const known = [...command.options, ...kcmProgram().options].map(({ long }) => long);
    const typed = (example.match(/ --[a-z-]+/g) ?? []).map((option) => option.trim());
    expect(typed.filter((option) => !known.includes(option))).toEqual([]);
    const wanted = command.options.filter(({ mandatory }) => mandatory).map(({ long }) => long!);
    expect(wanted.filter((option) => !typed.includes(option))).toEqual([]);
  });
});

it('kcm says the version of its package', () => {
  const file = join(import.meta.dirname, '..', '..', 'package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  expect(kcmProgram().version()).toBe(version);
});
