import type { Command } from 'commander';
import { declare } from '../program.js';

export function projectionCommands(program: Command): void {
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
    ({ client, progress }, _options, name) =>
      progress.during(`Replaying ${name} from the first event`, () =>
        client.post(`/v1/sys/projections/${encodeURIComponent(name)}/rebuild`),
      ),
  );
}
