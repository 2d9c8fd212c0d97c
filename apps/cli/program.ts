import { printableText } from '@kcm/kernel';
import { Command } from 'commander';
import { Client } from './client.js';
import { EXIT, Refused, Unreachable, UsageError } from './failures.js';
import { print, type OutputMode } from './output.js';
import { readSettings, type Settings } from './settings.js';

export interface Run {
  readonly client: Client;
  readonly settings: Settings;
}
/** What a command does; what it returns is printed. */
export type Action<O> = (run: Run, options: O, ...args: string[]) => Promise<unknown>;

/** Declares one command: its words, what it does, an example, and the action. */
export function declare<O extends object>(
  parent: Command,
  words: string,
  about: { readonly summary: string; readonly example: string },
  build: (command: Command) => Command,
  action: Action<O>,
): void {
  const command = build(parent.command(words).description(about.summary));
  command.addHelpText('after', `\nExample:\n  kcm ${about.example}`);
  command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2) as string[];
    const options = command.optsWithGlobals<O & OutputMode>();
    const settings = readSettings(process.env);
    const client = new Client(settings);
    const result = await action({ client, settings }, options, ...args);
    print(result, { json: options.json, quiet: options.quiet });
    if (client.waiting) {
      process.stderr.write('Still at work: look again with the matching `show` command.\n');
      process.exitCode = EXIT.waiting;
    }
  });
}

/** @returns the exit code of a failure, having said what went wrong */
export function explain(error: unknown): number {
  const say = (text: string) => process.stderr.write(`kcm: ${printableText(text)}\n`);
  if (error instanceof Refused) {
    say(error.message);
    return error.problem.code === 'approval_required' ? EXIT.waiting : EXIT.refused;
  }
  if (error instanceof Unreachable) {
    say(error.message);
    return EXIT.unreachable;
  }
  if (error instanceof UsageError) {
    say(error.message);
    return EXIT.usage;
  }
  const coded = error as { code?: string; message?: string };
  say(coded.message ?? 'failed');
  return coded.code === 'integrity' ? EXIT.refused : EXIT.usage;
}
