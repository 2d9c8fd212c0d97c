import type { Command } from 'commander';
import { declare, declareChange } from '../program.js';
import { tenantPath } from '../tenant-words.js';
import { wholeNumber } from '../whole-number.js';

interface PolicyOptions {
  readonly leaseSeconds?: string;
  readonly cacheTtlSeconds?: string;
  readonly cacheMaxUses?: string;
  readonly cacheMaxAgeSeconds?: string;
  readonly cacheOff?: boolean;
}
const withPolicy = (c: Command): Command =>
  c
    .option('--lease-seconds <n>', 'how long one proof of the root key lasts (10–300)')
    .option('--cache-ttl-seconds <n>', 'how long an Edge keeps a data key')
    .option('--cache-max-uses <n>', 'how often it uses one')
    .option('--cache-max-age-seconds <n>', 'how old one may get')
    .option('--cache-off', 'a fresh data key for every operation');

function policyOf(options: PolicyOptions): object {
  const number = (text: string | undefined) => (text === undefined ? undefined : wholeNumber(text));
  const cache = {
    ttlSeconds: number(options.cacheTtlSeconds),
    maxUses: number(options.cacheMaxUses),
    maxAgeSeconds: number(options.cacheMaxAgeSeconds),
    off: options.cacheOff,
  };
  const some = Object.values(cache).some((value) => value !== undefined);
  return { leaseSeconds: number(options.leaseSeconds), ...(some ? { cache } : {}) };
}

export function tenantCommands(program: Command): void {
  const tenant = program.command('tenant').description('Tenants');
  declareChange<PolicyOptions & { name?: string }>(
    tenant,
    'create <id>',
    { summary: 'Register a tenant', example: 'tenant create acme --name "Acme Bank"' },
    (c) => withPolicy(c.option('--name <name>', 'its name (default: the id)')),
    ({ client }, options, id) =>
      client.post('/v1/tenants', { id, name: options.name ?? id, policy: policyOf(options) }),
  );
  declare(
    tenant,
    'list',
    { summary: 'All tenants', example: 'tenant list' },
    (c) => c,
    ({ client }) => client.list('/v1/tenants'),
  );
  declare(
    tenant,
    'show <id>',
    { summary: 'A tenant, its policy and its locks', example: 'tenant show acme' },
    (c) => c,
    ({ client }, _options, id) => client.get(tenantPath(id)),
  );
  for (const [verb, summary] of [
    ['activate', 'Activate a registered tenant'],
    ['block', "Block a tenant: the platform's own lock"],
    ['unblock', 'Lift the block'],
  ] as const) {
    declareChange(
      tenant,
      `${verb} <id>`,
      { summary, example: `tenant ${verb} acme` },
      (c) => c,
      ({ client }, _options, id) => client.post(tenantPath(id, verb)),
    );
  }
  declareChange<PolicyOptions>(
    tenant,
    'policy <id>',
    {
      summary: 'Change the policy; what is left out keeps its value',
      example: 'tenant policy acme --lease-seconds 30',
    },
    withPolicy,
    ({ client }, options, id) => client.put(tenantPath(id, 'policy'), policyOf(options)),
  );
}
