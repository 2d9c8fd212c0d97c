import type { Command } from 'commander';
import { UsageError } from '../failures.js';
import { declare, declareChange, longWork, withWait } from '../program.js';
import { ofTenant, tenantPath } from '../tenant-words.js';
import { wholeNumber } from '../whole-number.js';

interface Pace {
  readonly tenant: string;
  readonly pause?: boolean;
  readonly resume?: boolean;
  readonly perSecond?: string;
}

function change({ pause, resume, perSecond }: Pace): object {
  if (pause === true && resume === true) throw new UsageError('Give --pause or --resume.');
  if (pause === undefined && resume === undefined && perSecond === undefined)
    throw new UsageError('Give --pause, --resume or --per-second.');
  const paused = pause === true ? true : resume === true ? false : undefined;
  if (perSecond === undefined) return { paused };
  return { paused, perSecondMax: perSecond === 'all' ? null : wholeNumber(perSecond) };
}

/** What hangs from each version of a key, and how one ends: beside the verbs of the whole key. */
export function keyVersionCommands(key: Command): void {
  declare<{ tenant: string }>(
    key,
    'usage <id>',
    {
      summary: 'What hangs from each version of a key, as far as its holders told',
      example: 'key usage l3-… --tenant acme',
    },
    ofTenant,
    ({ client }, { tenant }, id) => client.get(tenantPath(tenant, 'keys', id, 'usage')),
  );
  declare<{ tenant: string }>(
    key,
    'exposures <id>',
    {
      summary: 'What may have been exposed of a key that was compromised',
      example: 'key exposures l3-… --tenant acme',
    },
    ofTenant,
    ({ client }, { tenant }, id) => client.list(tenantPath(tenant, 'keys', id, 'exposures')),
  );
  declareChange<{ tenant: string; acceptUnreported?: true }>(
    key,
    'destroy <id> <version>',
    {
      summary: 'Destroy a version from which nothing hangs any more; its material is erased',
      example: 'key destroy l3-… 1 --tenant acme',
    },
    (c) =>
      withWait(ofTenant(c)).option(
        '--accept-unreported',
        'also where an Edge may have protected more with it than it told: that is lost, so move all first',
      ),
    (run, { tenant, acceptUnreported }, id, version) => {
      const path = tenantPath(tenant, 'keys', id, 'versions', String(wholeNumber(version)));
      const body = { ...(acceptUnreported && { acceptUnreported }) };
      const begin = () => longWork(run, () => run.client.post(`${path}/destroy`, body));
      return run.progress.during('Destroying', begin);
    },
  );
  declareChange<Pace>(
    key,
    'rewrapping <id>',
    {
      summary: 'Pause, resume or pace the wrapping anew of what hangs from an L2',
      example: 'key rewrapping l2-… --tenant acme --per-second 50',
    },
    (c) =>
      ofTenant(c)
        .option('--pause', 'wrap nothing anew until it is resumed')
        .option('--resume', 'go on')
        .option('--per-second <n>', 'at most so many in a second; “all”: as fast as it goes'),
    ({ client }, options, id) =>
      client.post(tenantPath(options.tenant, 'keys', id, 'rewrapping'), change(options)),
  );
}
