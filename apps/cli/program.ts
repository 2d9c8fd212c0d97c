import { printableText, systemRandom, uuidv4 } from '@kcm/kernel';
import { type Command, Option } from 'commander';
import { unexpected } from './answer.js';
import { Client } from './client.js';
import { EXIT, Refused, Unreachable, UsageError } from './failures.js';
import { waitCommand, waitFor } from './operation.js';
import { type OutputMode, print } from './output.js';
import { Progress } from './progress.js';
import { readSettings, type Settings } from './settings.js';

export interface Run {
  readonly client: Client;
  readonly settings: Settings;
  readonly progress: Progress;
  /** Whether what is not done at once is waited for. */
  readonly wait: boolean;
}
/** What a command does; what it returns is printed. */
export type Action<O> = (run: Run, options: O, ...args: string[]) => Promise<unknown>;

/** Of a command that may be answered with 202: its work is then carried on with `longWork`. */
export const withWait = (c: Command): Command =>
  c.addOption(new Option('--wait', 'until it is done, however long it takes'));

/** What the work has made of the resource once it is over, or, without `--wait`, as it stands. */
export async function longWork<T>(run: Run, begin: () => Promise<T>): Promise<T> {
  const { client, progress, wait } = run;
  const begun = await begin();
  if (!wait || client.pending === null) return begun;
  const { resource } = await waitFor(client, progress, client.pending);
  client.pending = null;
  return client.get<T>(resource);
}

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
    const options = command.optsWithGlobals<O & OutputMode & Waits>();
    const { json, quiet, color, wait, idempotencyKey } = options;
    if (!color) process.env['NO_COLOR'] = '1';
    const settings = readSettings(process.env);
    const key = changes.has(command) ? (idempotencyKey ?? uuidv4(systemRandom)) : null;
    const client = new Client(settings, key);
    const progress = new Progress({ json, quiet });
    const run = { client, settings, progress, wait: wait === true };
    print(await action(run, options, ...args), { json, quiet });
    if (client.more) process.stderr.write('… and more: the list goes on.\n');
    if (client.pending !== null) {
      const next = `Still at work. To wait for it: ${waitCommand(client.pending)}`;
      process.stderr.write(`${printableText(next)}\n`);
      process.exitCode = EXIT.waiting;
    }
  });
}
interface Waits {
  readonly color: boolean;
  readonly wait?: boolean;
  readonly idempotencyKey?: string;
}
const changes = new WeakSet<Command>();

/** As `declare`, of a command that changes something: it is one however often it is sent. */
export const declareChange: typeof declare = (parent, words, about, build, action) =>
  declare(
    parent,
    words,
    about,
    (c) => {
      changes.add(c);
      return build(c).option(
        '--idempotency-key <key>',
        'of an attempt before: sent again, it is the same command (default: a new one)',
      );
    },
    action,
  );

/** @returns the exit code of a failure, having said what went wrong and what to do next */
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
    say(`${error.message}\n(--help after the command shows its options and an example)`);
    return EXIT.usage;
  }
  // What an answer lacked, in whatever a command went to do with it.
  if (error instanceof TypeError || error instanceof SyntaxError)
    return explain(unexpected(`its answer cannot be used (${error.message})`));
  const coded = error as { code?: string; message?: string };
  say(coded.message ?? 'failed');
  return coded.code === 'integrity' ? EXIT.refused : EXIT.usage;
}
