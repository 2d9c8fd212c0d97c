import type { Command } from 'commander';
import type { Client } from '../client.js';
import { UsageError } from '../failures.js';
import { declare, type Run } from '../program.js';
import { type NewShares, newShares, shareOf, withRecipients } from './new-shares.js';

interface Held {
  readonly ceremony?: string;
  readonly share?: string;
  readonly cancel?: boolean;
}
interface Step {
  readonly ceremony: {
    readonly id: string;
    readonly kind: string;
    readonly stage: 'authorize' | 'verify';
    readonly provided: number;
    readonly threshold: number;
  } | null;
  readonly shares: readonly string[] | null;
  readonly done: boolean;
}

/** What happened, and what to type next. */
function told({ ceremony, shares, done }: Step): string {
  if (ceremony === null) return done ? 'It is done.' : 'It is cancelled: nothing was changed.';
  const { id, kind, stage, provided, threshold } = ceremony;
  const next = `kcm sys ${kind} --ceremony ${id} --share -`;
  const whose = stage === 'verify' ? 'new shares' : 'shares';
  const given = `${provided} of ${threshold} ${whose} are given. Next: ${next}`;
  if (shares === null) return given;
  return `These are shown once; until ${threshold} of them are given back the old ones count. ${given}`;
}

const held = (c: Command): Command =>
  c
    .option('--ceremony <id>', 'the one that the share is for')
    .option('--share <share>', 'kcms1-… ("-" reads it from standard input)')
    .option('--cancel', 'end it; nothing is changed');

/** One call: begun, one share given, or cancelled. */
async function ceremony(
  { client, progress }: Pick<Run, 'client' | 'progress'>,
  path: string,
  { ceremony: id, share, cancel }: Held,
  begin: () => object,
): Promise<Step> {
  if ((id === undefined) !== (share === undefined))
    throw new UsageError('--ceremony and --share go together.');
  const body = async (): Promise<object> => {
    if (cancel === true) return { cancel: true };
    if (id === undefined || share === undefined) return begin();
    return { ceremony: id, share: await shareOf(share) };
  };
  const step = await send(client, path, await body());
  progress.note(told(step));
  return step;
}
const send = (client: Client, path: string, body: object) => client.post<Step>(path, body);

type Rekey = Partial<NewShares> & Held & { readonly seal?: string };

export function rekeyCommands(program: Command): void {
  const sys = program.command('sys').description('What opens the region');
  declare<Rekey>(
    sys,
    'rekey',
    {
      summary: 'Replace the shares, by a quorum of them; the new ones are proved before they count',
      example: 'sys rekey --shares 5 --threshold 3',
    },
    (c) =>
      held(
        withRecipients(
          c
            .option('--shares <n>', 'begin: how many new shares')
            .option('--threshold <k>', 'begin: how many of them open')
            .option('--seal <kind>', 'begin: shamir or keystore, to move to the other one'),
        ),
      ),
    (run, options) =>
      ceremony(run, '/v1/sys/rekey', options, () => {
        const { shares, threshold, seal, recipient } = options;
        if (shares === undefined || threshold === undefined)
          throw new UsageError('Give --shares and --threshold, or --ceremony and --share.');
        const asked = { shares, threshold, ...(recipient === undefined ? {} : { recipient }) };
        return { ...newShares(asked), ...(seal === undefined ? {} : { seal }) };
      }),
  );
  declare<Held>(
    sys,
    'rotate',
    {
      summary: 'Give the barrier a new key, by a quorum of the shares; all is sealed anew',
      example: 'sys rotate',
    },
    held,
    (run, options) => ceremony(run, '/v1/sys/rotate', options, () => ({ begin: true })),
  );
}
