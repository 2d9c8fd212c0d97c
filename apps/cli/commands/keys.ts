import type { Command } from 'commander';
import { declare, declareChange, longWork, type Run, withWait } from '../program.js';
import { type Key, untilRewrapped } from '../rewrap.js';
import { ofTenant, tenantPath } from '../tenant-words.js';
import { keyStateCommands } from './key-states.js';
import { keyVersionCommands } from './key-versions.js';

interface Rotate {
  readonly tenant: string;
  readonly prepare?: true;
}

async function rotate(run: Run, { tenant, prepare }: Rotate, id = ''): Promise<Key> {
  const path = tenantPath(tenant, 'keys', id, 'rotate');
  const body = { ...(prepare && { prepare }) };
  const begin = () => longWork(run, () => run.client.post<Key>(path, body));
  const rotated = await run.progress.during('Rotating', begin);
  if (!run.wait || prepare || rotated.level !== 'L2') return rotated;
  await run.progress.during('Wrapping the keys of the services anew', (tell) =>
    untilRewrapped(run.client, tenant, rotated, tell),
  );
  return rotated;
}

export function keyCommands(program: Command): void {
  const key = program.command('key').description('L2 and L3 keys; never material');
  declare<{ tenant: string }>(
    key,
    'list',
    { summary: 'The keys of a tenant', example: 'key list --tenant acme' },
    ofTenant,
    ({ client }, { tenant }) => client.list(tenantPath(tenant, 'keys')),
  );
  declare<{ tenant: string }>(
    key,
    'show <id>',
    { summary: 'A key and its versions', example: 'key show l3-… --tenant acme' },
    ofTenant,
    ({ client }, { tenant }, id) => client.get(tenantPath(tenant, 'keys', id)),
  );
  declareChange<Rotate>(
    key,
    'rotate <id>',
    {
      summary: 'Rotate an L3 or the L2; old ciphertext still opens',
      example: 'key rotate l3-… --tenant acme',
    },
    (c) => withWait(ofTenant(c)).option('--prepare', 'only make the next version ready'),
    rotate,
  );
  keyStateCommands(key);
  keyVersionCommands(key);
  declare<{ tenant: string }>(
    program,
    'leases',
    { summary: 'Who holds a lease, and until when', example: 'leases --tenant acme' },
    ofTenant,
    ({ client }, { tenant }) => client.list(tenantPath(tenant, 'leases')),
  );
}
