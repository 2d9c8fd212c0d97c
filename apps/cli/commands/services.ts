import type { Command } from 'commander';
import { declare, declareChange, longWork, withWait } from '../program.js';
import { ofTenant, tenantPath } from '../tenant-words.js';

export function serviceCommands(program: Command): void {
  const service = program.command('service').description('Services of a tenant');
  declareChange<{ tenant: string }>(
    service,
    'map <id>',
    {
      summary: 'Map a service: its L3 key is created',
      example: 'service map billing --tenant acme',
    },
    (c) => withWait(ofTenant(c)),
    (run, { tenant }, id) =>
      longWork(run, () => run.client.post(tenantPath(tenant, 'services'), { id })),
  );
  declare<{ tenant: string }>(
    service,
    'list',
    { summary: 'The mapped services', example: 'service list --tenant acme' },
    ofTenant,
    ({ client }, options) => client.list(tenantPath(options.tenant, 'services')),
  );
  declareChange<{ tenant: string }>(
    service,
    'unmap <id>',
    { summary: 'Unmap a service; its keys stay', example: 'service unmap billing --tenant acme' },
    ofTenant,
    ({ client }, options, id) => client.delete(tenantPath(options.tenant, 'services', id)),
  );
}
