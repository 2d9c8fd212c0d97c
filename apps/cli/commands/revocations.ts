import type { Command } from 'commander';
import { declare, declareChange, longWork, withWait } from '../program.js';
import { holdersHeard, type Revocation } from '../revocation.js';
import { revocationWatchCommand } from './revocation-watch.js';
import { ofTenant, tenantPath } from '../tenant-words.js';

interface Create {
  readonly tenant: string;
  readonly kind: string;
  readonly service?: string;
  readonly reason: string;
  readonly text?: string;
}

export function revocationCommands(program: Command): void {
  const revocation = program
    .command('revocation')
    .description('Suspend, read-only, kill, release, shred');
  declareChange<Create>(
    revocation,
    'create',
    {
      summary: 'Suspend a tenant or one service or let it only decrypt, or kill a tenant (lock)',
      example: 'revocation create --tenant acme --kind kill --reason offboarding',
    },
    (c) =>
      withWait(ofTenant(c))
        .requiredOption('--kind <kind>', 'suspend, read-only or kill')
        .option('--service <id>', 'only this service (suspend, read-only)')
        .requiredOption('--reason <code>', 'why, as a code')
        .option('--text <text>', 'why, in words (deletable)'),
    async (run, { tenant, kind, service, reason, text }) => {
      const body = {
        kind,
        scope: service === undefined ? { all: true } : { service },
        reason: { code: reason, ...(text === undefined ? {} : { text }) },
      };
      const path = tenantPath(tenant, 'revocations');
      const begun = await longWork(run, () => run.client.post<Revocation>(path, body));
      return run.wait ? holdersHeard(run, tenant, begun.id) : begun;
    },
  );
  declare<{ tenant: string }>(
    revocation,
    'list',
    { summary: 'The revocations of a tenant', example: 'revocation list --tenant acme' },
    ofTenant,
    ({ client }, { tenant }) => client.list(tenantPath(tenant, 'revocations')),
  );
  declare<{ tenant: string }>(
    revocation,
    'show <id>',
    { summary: 'Who has acknowledged, who is silent', example: 'revocation show … --tenant acme' },
    ofTenant,
    ({ client }, { tenant }, id) => client.get(tenantPath(tenant, 'revocations', id)),
  );
  revocationWatchCommand(revocation);
  for (const [verb, summary] of [
    ['release', 'Lift a suspend or a read-only (not by who locked)'],
    ['shred', 'Shred what a kill locked (not by who locked): nothing brings it back'],
  ] as const) {
    declareChange<{ tenant: string }>(
      revocation,
      `${verb} <id>`,
      { summary, example: `revocation ${verb} … --tenant acme` },
      (c) => withWait(ofTenant(c)),
      async (run, { tenant }, id) => {
        const path = tenantPath(tenant, 'revocations', id, verb);
        const done = await longWork(run, () => run.client.post<Revocation>(path));
        return run.wait && verb === 'shred' ? holdersHeard(run, tenant, id) : done;
      },
    );
  }
  declare<{ tenant: string }>(
    program,
    'locks',
    { summary: 'What locks a tenant', example: 'locks --tenant acme' },
    ofTenant,
    ({ client }, { tenant }) => client.list(tenantPath(tenant, 'locks')),
  );
}
