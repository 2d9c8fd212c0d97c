import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { parseTrust, renderReceipt, verifyReceipt } from '@kcm/evidence/verify';
import { UsageError } from '../failures.js';
import { declare } from '../program.js';
import { ofTenant, tenantPath } from '../tenant-words.js';

export function receiptCommands(program: Command): void {
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
