import type { Command } from 'commander';
import { type Operation, operationPath, waitFor } from '../operation.js';
import { declare } from '../program.js';

export function operationCommands(program: Command): void {
  const operation = program.command('operation').description('Work that the server goes on with');
  declare(
    operation,
    'show <id>',
    { summary: 'Where it stands', example: 'operation show …' },
    (c) => c,
    ({ client }, _options, id) => client.get<Operation>(operationPath(id)),
  );
  declare(
    operation,
    'wait <id>',
    {
      summary: 'Wait until it is done or refused; Ctrl-C leaves it at work',
      example: 'operation wait …',
    },
    (c) => c,
    async ({ client, progress }, _options, id) => {
      const { resource } = await waitFor(client, progress, id);
      return client.get(resource);
    },
  );
}
