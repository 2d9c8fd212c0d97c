import type { Command } from 'commander';
import { parseTrust, renderReceipt, verifyReceipt } from '@kcm/evidence/verify';
import { declare } from '../program.js';
import { readText } from '../read-file.js';
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
      const receiptText = readText(file).trim();
      const verified = verifyReceipt(receiptText, parseTrust(readText(trust)));
      return json ? verified : `${renderReceipt(verified)}\nVERIFIED with the key of ${trust}`;
    },
  );
}
