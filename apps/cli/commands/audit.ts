import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { printLine } from '../output.js';
import { declare, type Run } from '../program.js';
import { wholeNumber } from '../whole-number.js';
import { tenantPath } from '../tenant-words.js';

interface Search {
  readonly tenant?: string;
  readonly from?: string;
  readonly to?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly outcome?: string;
  readonly correlationId?: string;
  readonly limit?: string;
  readonly json: boolean;
  readonly quiet: boolean;
}
interface Item {
  readonly position: string;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly resource: string;
  readonly outcome: string;
  readonly code?: string;
}
const lineOf = ({ at, actor, action, resource, outcome, code }: Item): string =>
  [at, actor, action, resource, code === undefined ? outcome : `${outcome}: ${code}`].join('  ');

const TAIL_MS = 1_000;

const withFilter = (c: Command): Command =>
  c
    .option('--tenant <id>', 'only this tenant (all: with a platform auditor’s token)')
    .option('--from <time>', 'RFC 3339')
    .option('--to <time>', 'RFC 3339')
    .option('--actor <subject>')
    .option('--action <action>')
    .option('--outcome <outcome>')
    .option('--correlation-id <id>')
    .option('--limit <n>', 'at most so many', '100');

function search({ client }: Run, options: Search, from = options.from): Promise<Item[]> {
  const { to, actor, action, outcome, correlationId } = options;
  const path = options.tenant === undefined ? '/v1/audit' : tenantPath(options.tenant, 'audit');
  const query = { from, to, actor, action, outcome, correlationId };
  return client.list<Item>(path, query, wholeNumber(options.limit ?? '100'));
}

export function auditCommands(program: Command): void {
  const audit = program.command('audit').description('Who did what, and what the keystores said');
  declare<Search>(
    audit,
    'search',
    { summary: 'Search by time, actor, action, outcome', example: 'audit search --tenant acme' },
    withFilter,
    (run, options) => search(run, options),
  );
  declare<Search>(
    audit,
    'tail',
    { summary: 'What happens from now on, until interrupted', example: 'audit tail --tenant acme' },
    withFilter,
    async (run, options) => {
      let from = new Date().toISOString();
      const seen = new Set<string>();
      for (;;) {
        for (const item of await search(run, options, from)) {
          if (seen.has(item.position)) continue;
          seen.add(item.position);
          printLine(item, lineOf(item), options);
          from = item.at;
        }
        await sleep(TAIL_MS);
      }
    },
  );
}
