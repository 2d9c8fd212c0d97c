import type { Command } from 'commander';
import { runMover } from '../mover.js';
import { declare, type Run } from '../program.js';

/** The ledger is moved by a program of its own: it opens the ledger itself, and asks no server. */
const moved =
  (verb: 'export' | 'import') =>
  async (_run: Run, { quiet }: { readonly quiet?: boolean }, file: string): Promise<undefined> => {
    const args = [verb, file, ...(quiet === true ? ['--quiet'] : [])];
    process.exitCode = await runMover(args, 'inherit');
  };

export function ledgerCommands(program: Command): void {
  const ledger = program
    .command('ledger')
    .description('Move the ledger, while no server runs on it: where KCM_LEDGER says it is');
  declare(
    ledger,
    'export <file>',
    {
      summary: 'Write all its events to a new file, which holds no key and no secret',
      example: 'ledger export acme.ledger',
    },
    (c) => c,
    moved('export'),
  );
  declare(
    ledger,
    'import <file>',
    {
      summary: 'Make an empty ledger its copy; each tenant begins a new term',
      example: 'ledger import acme.ledger',
    },
    (c) => c,
    moved('import'),
  );
}
