import type { Command } from 'commander';
import { declareChange } from '../program.js';
import { ofTenant, tenantPath } from '../tenant-words.js';
import { wholeNumber } from '../whole-number.js';

interface Compromise {
  readonly tenant: string;
  readonly since: string;
  readonly allowProcessing?: true;
}

/** A version's way through its states: beside the verbs of the whole key. */
export function keyStateCommands(key: Command): void {
  for (const [verb, words, summary] of [
    ['activate', '<id> <version>', 'New use takes a version that was made ready'],
    [
      'deactivate',
      '<id> [version]',
      'Nothing new is protected with a version (the current one); what it protected opens',
    ],
    [
      'archive',
      '<id> <version>',
      'Take a version that protects nothing new aside: nothing opens until it is recovered',
    ],
    ['recover', '<id> <version>', 'Bring an archived version back: it is what it was before'],
  ] as const)
    declareChange<{ tenant: string }>(
      key,
      `${verb} ${words}`,
      { summary, example: `key ${verb} l3-… 1 --tenant acme` },
      ofTenant,
      ({ client }, { tenant }, id, version) => {
        const body = version === undefined ? {} : { version: wholeNumber(version) };
        return client.post(tenantPath(tenant, 'keys', id, verb), body);
      },
    );
  declareChange<Compromise>(
    key,
    'compromise <id> [versions...]',
    {
      summary:
        'Mark versions (every one) as known to others: they protect nothing more, and open nothing',
      example: 'key compromise l3-… 1 2 --since 2031-05-01T00:00:00Z --tenant acme',
    },
    (c) =>
      ofTenant(c)
        .requiredOption('--since <time>', 'when it was first known or feared (RFC 3339)')
        .option('--allow-processing', 'what they protect may still be opened'),
    ({ client }, { tenant, since, allowProcessing }, id, ...rest) => {
      // What may come several times comes as one list.
      const versions = rest.flat().map(wholeNumber);
      return client.post(tenantPath(tenant, 'keys', id, 'compromise'), {
        ...(versions.length > 0 && { versions }),
        since,
        ...(allowProcessing && { processing: 'allowed' }),
      });
    },
  );
}
