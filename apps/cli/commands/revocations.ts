import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { parseTrust, renderReceipt, verifyReceipt } from '@kcm/evidence/verify';
import { UsageError } from '../failures.js';
import { declare } from '../program.js';
import { revocationWatchCommand } from './revocation-watch.js';
import { ofTenant, tenantPath } from './tenants.js';

interface Create {
  readonly tenant: string;
  readonly kind: string;
  readonly service?: string;
  readonly reason: string;
  readonly text?: string;
}

export function revocationCommands(program: Command): void {
  const revocation = program.command('revocation').description('Suspend, kill, release, shred');
  declare<Create>(
    revocation,
    'create',
    {
      summary: 'Suspend a tenant or one service, or kill a tenant (lock)',
      example: 'revocation create --tenant acme --kind kill --reason offboarding',
    },
    (c) =>
      ofTenant(c)
        .requiredOption('--kind <kind>', 'suspend or kill')
        .option('--service <id>', 'only this service (suspend)')
        .requiredOption('--reason <code>', 'why, as a code')
        .option('--text <text>', 'why, in words (deletable)'),
    ({ client }, { tenant, kind, service, reason, text }) =>
      client.post(tenantPath(tenant, 'revocations'), {
        kind,
        scope: service === undefined ? { all: true } : { service },
        reason: { code: reason, ...(text === undefined ? {} : { text }) },
      }),
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
    ['release', 'Lift a suspend (not by who suspended)'],
    ['shred', 'Shred what a kill locked (not by who locked): nothing brings it back'],
  ] as const) {
    declare<{ tenant: string }>(
      revocation,
      `${verb} <id>`,
      { summary, example: `revocation ${verb} … --tenant acme` },
      ofTenant,
      ({ client }, { tenant }, id) => client.post(tenantPath(tenant, 'revocations', id, verb)),
    );
  }
  declare<{ tenant: string }>(
    program,
    'locks',
    { summary: 'What locks a tenant', example: 'locks --tenant acme' },
    ofTenant,
    ({ client }, { tenant }) => client.list(tenantPath(tenant, 'locks')),
  );
  declare<{ tenant: string }>(
    program,
    'trust',
    {
      summary: 'What a verifier pins: save it as trust.json',
      example: 'trust --tenant acme --json',
    },
    ofTenant,
    ({ client }, { tenant }) => client.get(tenantPath(tenant, 'trust')),
  );
  const receipt = program.command('receipt').description('Revocation receipts');
  declare<{ tenant: string }>(
    receipt,
    'show <revocation>',
    { summary: 'The receipt itself, a compact JWS', example: 'receipt show … --tenant acme' },
    ofTenant,
    ({ client }, { tenant }, id) => client.get(tenantPath(tenant, 'revocations', id, 'receipt')),
  );
  declare<{ trust: string; json?: boolean }>(
    receipt,
    'verify <file>',
    {
      summary: 'Verify a receipt offline: no server, no database, the key pinned',
      example: 'receipt verify receipt.jws --trust trust.json',
    },
    (c) => c.requiredOption('--trust <file>', 'trust.json, pinned at onboarding'),
    async (_run, { trust, json }, file) => {
      const receiptText = read(file).trim();
      const verified = verifyReceipt(receiptText, parseTrust(read(trust)));
      return json ? verified : `${renderReceipt(verified)}\nVERIFIED with the key of ${trust}`;
    },
  );
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`Cannot read ${file}.`);
  }
}
