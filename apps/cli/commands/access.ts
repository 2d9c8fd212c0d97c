import type { Command } from 'commander';
import { certificateRequest } from '../certificate-request.js';
import { UsageError } from '../failures.js';
import { type Issued, writeIdentity } from '../identity-files.js';
import { declareChange } from '../program.js';
import { wholeNumber } from '../whole-number.js';

/** `90s`, `30m`, `1h`, `1d`, or seconds. */
function secondsOf(text: string): number {
  const match = /^(\d+)([smhd]?)$/.exec(text);
  if (match === null) throw new UsageError(`${text} is not a time like 90s, 30m, 1h or 1d.`);
  const unit = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 }[match[2]!]!;
  return Number(match[1]) * unit;
}

export function accessCommands(program: Command): void {
  const token = program.command('token').description('Access tokens of the local issuer');
  declareChange<{ tenant?: string; role: string[]; subject: string; ttl?: string; json: boolean }>(
    token,
    'create',
    {
      summary: 'Issue a token for a person without an OIDC provider',
      example: 'token create --tenant acme --role key-admin --subject anna --ttl 1h',
    },
    (c) =>
      c
        .option('--tenant <id>', 'left out for platform roles')
        .requiredOption('--role <role...>', 'tenant-admin, key-admin, approver, auditor, …')
        .requiredOption('--subject <name>', 'who')
        .option('--ttl <time>', 'e.g. 1h'),
    async ({ client, progress }, { tenant, role, subject, ttl, json }) => {
      const issued = await client.post<{ token: string; expiresAt: string }>('/v1/sys/tokens', {
        ...(tenant === undefined ? {} : { tenant }),
        roles: role,
        subject,
        ...(ttl === undefined ? {} : { ttlSeconds: secondsOf(ttl) }),
      });
      if (json) return issued;
      // Only the token on stdout: TOKEN=$(kcm token create …)
      progress.note(`Valid until ${issued.expiresAt}; use it as KCM_TOKEN.`);
      return issued.token;
    },
  );
  const pki = program.command('pki').description('Client certificates of the local authority');
  declareChange<{ tenant: string; service: string; out: string; days?: string }>(
    pki,
    'issue',
    {
      summary: 'A client certificate for a workload; its key is made here',
      example: 'pki issue --tenant acme --service billing --out ./billing',
    },
    (c) =>
      c
        .requiredOption('--tenant <id>')
        .requiredOption('--service <id>')
        .requiredOption('--out <dir>', 'client.pem, client-key.pem, ca.pem')
        .option('--days <n>', 'how long it lasts'),
    async ({ client }, { tenant, service, out, days }) => {
      const { privateKey, csr } = await certificateRequest(service);
      const issued = await client.post<Issued>('/v1/sys/certificates', {
        tenant,
        service,
        csr,
        ...(days === undefined ? {} : { days: wholeNumber(days) }),
      });
      return writeIdentity(out, issued, privateKey);
    },
  );
}
