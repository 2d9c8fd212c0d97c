import type { Command } from 'commander';

export interface Word {
  readonly word: string;
  readonly about: string;
}
/** What may follow the words of one command. */
export interface Place {
  /** The words before: empty, or ` tenant create` with a space before each. */
  readonly at: string;
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
  /** Arguments that are one of a few words. */
  readonly choices: readonly string[];
  /** The options after which a value comes. */
  readonly valued: readonly string[];
}

/** Every place of the program, groups before their commands. */
export function placesOf(program: Command): readonly Place[] {
  return walk(program, '', program);
}

function walk(command: Command, at: string, program: Command): Place[] {
  const own = command === program ? [] : command.options;
  const options = [...own, ...program.options].filter(({ long }) => long !== undefined);
  const help = { word: '--help', about: 'options and an example' };
  const place: Place = {
    at,
    commands: command.commands.map((one) => ({ word: one.name(), about: one.description() })),
    options: [
      ...options.map(({ long, description }) => ({ word: long!, about: description })),
      help,
    ],
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    valued: options
      .filter(({ required, optional }) => required || optional)
      .map(({ long }) => long!),
  };
  return [place, ...command.commands.flatMap((one) => walk(one, `${at} ${one.name()}`, program))];
}

/** One word of any of the three shells, whatever stands in it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
