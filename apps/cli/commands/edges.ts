import type { Command } from 'commander';
import { certificateRequest } from '../certificate-request.js';
import { type Issued, writeIdentity } from '../identity-files.js';
import { declare, declareChange } from '../program.js';

export function edgeCommands(program: Command): void {
  const edge = program.command('edge').description('Edges');
  declareChange<{ services: string; out: string }>(
    edge,
    'enrol <id>',
    {
      summary: 'Enrol an Edge; its key is made here',
      example: 'edge enrol edge-1 --services billing --out ./edge-1',
    },
    (c) =>
      c
        .requiredOption('--services <ids>', 'comma-separated')
        .requiredOption('--out <dir>', 'client.pem, client-key.pem, ca.pem'),
    async ({ client }, { services, out }, id) => {
      const { privateKey, csr } = await certificateRequest(id);
      const body = { id, services: services.split(','), csr };
      const issued = await client.post<Issued>('/v1/edges', body);
      return writeIdentity(out, issued, privateKey);
    },
  );
  declare(
    edge,
    'list',
    { summary: 'The enrolled Edges', example: 'edge list' },
    (c) => c,
    ({ client }) => client.list('/v1/edges'),
  );
  declareChange(
    edge,
    'revoke <id>',
    { summary: 'Revoke an Edge', example: 'edge revoke edge-1' },
    (c) => c,
    ({ client }, _options, id) => client.post(`/v1/edges/${encodeURIComponent(id)}/revoke`),
  );
  declareChange<{ since: string; processing?: string }>(
    edge,
    'compromise <id>',
    {
      summary: 'An Edge was taken over: it is refused, and every key that it held is replaced',
      example: 'edge compromise edge-1 --since 2031-05-01T00:00:00Z',
    },
    (c) =>
      c
        .requiredOption('--since <time>', 'from when on it may have been in other hands (RFC 3339)')
        .option(
          '--processing <word>',
          '“allowed”: what its keys protected still opens; “refused” unless it is said',
        ),
    ({ client }, { since, processing }, id) =>
      client.post(`/v1/edges/${encodeURIComponent(id)}/compromise`, { since, processing }),
  );
  declare(
    edge,
    'exposures <id>',
    {
      summary: 'What may have been exposed by an Edge that was taken over',
      example: 'edge exposures edge-1',
    },
    (c) => c,
    ({ client }, _options, id) => client.list(`/v1/edges/${encodeURIComponent(id)}/exposures`),
  );
}
