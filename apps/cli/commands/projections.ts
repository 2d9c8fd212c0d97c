import type { Command } from 'commander';
import { declare, declareChange } from '../program.js';

interface Projection {
  readonly name: string;
  readonly digest: string | null;
}

export function projectionCommands(program: Command): void {
  const projection = program.command('projection').description('Read models');
  declare<{ json: boolean }>(
    projection,
    'digest',
    { summary: 'Version, position and digest of each read model', example: 'projection digest' },
    (c) => c,
    async ({ client }, { json }) => {
      const found = await client.list<Projection>('/v1/sys/projections');
      // First, so that no terminal is too narrow for what was asked for.
      return json ? found : found.map(({ digest, ...others }) => ({ digest, ...others }));
    },
  );
  declareChange(
    projection,
    'rebuild <name>',
    {
      summary: 'Rebuild a read model from the ledger and compare it with the live one',
      example: 'projection rebuild tenants',
    },
    (c) => c,
    ({ client, progress }, _options, name) =>
      progress.during(`Replaying ${name} from the first event`, () =>
        client.within(null).post(`/v1/sys/projections/${encodeURIComponent(name)}/rebuild`),
      ),
  );
}
