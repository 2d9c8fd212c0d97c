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
}
