import type { Command } from 'commander';
import { UsageError } from '../failures.js';
import { declare } from '../program.js';
import { readStdin } from '../stdin.js';
import { wholeNumber } from '../whole-number.js';

/** '-' reads standard input, so that a share need not stand in the shell's history. */
const shareOf = async (text: string): Promise<string> =>
  (text === '-' ? (await readStdin()).toString('utf8') : text).trim();

export function sysCommands(program: Command): void {
  declare(
    program,
    'status',
    { summary: 'Is the region initialized, sealed, ready', example: 'status' },
    (c) => c,
    async ({ client }) => client.open('/v1/sys/status'),
  );
  declare<{ shares: string; threshold: string }>(
    program,
    'init',
    {
      summary: 'Initialize the region; its shares are shown once, here',
      example: 'init --shares 5 --threshold 3',
    },
    (c) =>
      c
        .requiredOption('--shares <n>', 'how many shares')
        .requiredOption('--threshold <k>', 'how many of them unseal'),
    ({ client }, { shares, threshold }) =>
      client.post('/v1/sys/init', {
        shares: wholeNumber(shares),
        threshold: wholeNumber(threshold),
      }),
  );
  declare<{ share?: string; reset?: boolean }>(
    program,
    'unseal',
    {
      summary: 'Provide one share ("-" reads it from standard input)',
      example: 'unseal --share -',
    },
    (c) => c.option('--share <share>', 'kcms1-…').option('--reset', 'let go of those provided'),
    async ({ client }, { share, reset }) => {
      if (reset) return client.post('/v1/sys/unseal', { reset: true });
      if (share === undefined) throw new UsageError('Give --share or --reset.');
      return client.post('/v1/sys/unseal', { share: await shareOf(share) });
    },
  );
  declare(
    program,
    'seal',
    { summary: 'Seal at once: every key is forgotten', example: 'seal' },
    (c) => c,
    ({ client }) => client.post('/v1/sys/seal'),
  );
  const projection = program.command('projection').description('Read models');
  declare(
    projection,
    'digest',
    { summary: 'Version, position and digest of each read model', example: 'projection digest' },
    (c) => c,
    ({ client }) => client.list('/v1/sys/projections'),
  );
  declare(
    projection,
    'rebuild <name>',
    {
      summary: 'Rebuild a read model from the ledger and compare it with the live one',
      example: 'projection rebuild tenants',
    },
    (c) => c,
    ({ client }, _options, name) =>
      client.post(`/v1/sys/projections/${encodeURIComponent(name)}/rebuild`),
  );
}
