import type { Command } from 'commander';
import { UsageError } from '../failures.js';
import { declare, declareChange } from '../program.js';
import { type NewShares, newShares, shareOf, withRecipients } from './new-shares.js';
import { rekeyCommands } from './rekey.js';

interface Seal {
  readonly sealed: boolean;
  readonly provided: number;
  readonly threshold: number;
}
function sealIn({ sealed, provided, threshold }: Seal): string {
  if (!sealed) return `${threshold} of ${threshold} shares: the region is open.`;
  return `${provided} of ${threshold} shares are given: ${threshold - provided} more.`;
}

export function sysCommands(program: Command): void {
  declare(
    program,
    'status',
    { summary: 'Is the region initialized, sealed, ready', example: 'status' },
    (c) => c,
    async ({ client }) => ({
      ...(await client.open<object>('/v1/sys/status')),
      health: await client.report<object>('/readyz'),
    }),
  );
  declareChange<NewShares>(
    program,
    'init',
    {
      summary: 'Initialize the region; its shares are shown once, here',
      example: 'init --shares 2 --threshold 2 --recipient age1… --recipient anna.asc',
    },
    (c) =>
      withRecipients(
        c
          .requiredOption('--shares <n>', 'how many shares')
          .requiredOption('--threshold <k>', 'how many of them unseal'),
      ),
    ({ client }, options) => client.post('/v1/sys/init', newShares(options)),
  );
  declare<{ share?: string; reset?: boolean; keystore?: boolean }>(
    program,
    'unseal',
    {
      summary: 'Provide one share ("-" reads it from standard input)',
      example: 'unseal --share -',
    },
    (c) =>
      c
        .option('--share <share>', 'kcms1-…')
        .option('--reset', 'let go of those provided')
        .option('--keystore', 'ask the keystore that keeps the region, at once'),
    async ({ client, progress }, { share, reset, keystore }) => {
      if (reset) return client.post('/v1/sys/unseal', { reset: true });
      if (keystore) return client.post('/v1/sys/unseal', { keystore: true });
      if (share === undefined) throw new UsageError('Give --share, --reset or --keystore.');
      const status = await client.post<Seal>('/v1/sys/unseal', { share: await shareOf(share) });
      progress.note(sealIn(status));
      return status;
    },
  );
  declareChange(
    program,
    'seal',
    { summary: 'Seal at once: every key is forgotten', example: 'seal' },
    (c) => c,
    ({ client }) => client.post('/v1/sys/seal'),
  );
  rekeyCommands(program);
}
