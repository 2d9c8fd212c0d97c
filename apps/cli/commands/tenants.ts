import type { Command } from 'commander';
import { UsageError } from '../failures.js';
import { declare } from '../program.js';
import { wholeNumber } from '../whole-number.js';

export const tenantPath = (tenant: string, ...rest: string[]): string =>
  ['/v1/tenants', encodeURIComponent(tenant), ...rest.map(encodeURIComponent)].join('/');

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
  declare<PolicyOptions & { name?: string }>(
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
    declare(
      tenant,
      `${verb} <id>`,
      { summary, example: `tenant ${verb} acme` },
      (c) => c,
      ({ client }, _options, id) => client.post(tenantPath(id, verb)),
    );
  }
  declare<PolicyOptions>(
    tenant,
    'policy <id>',
    {
      summary: 'Change the policy; what is left out keeps its value',
      example: 'tenant policy acme --lease-seconds 30',
    },
    withPolicy,
    ({ client }, options, id) => client.put(tenantPath(id, 'policy'), policyOf(options)),
  );
  const service = program.command('service').description('Services of a tenant');
  declare<{ tenant: string }>(
    service,
    'map <id>',
    {
      summary: 'Map a service: its L3 key is created',
      example: 'service map billing --tenant acme',
    },
    ofTenant,
    ({ client }, options, id) => client.post(tenantPath(options.tenant, 'services'), { id }),
  );
  declare<{ tenant: string }>(
    service,
    'list',
    { summary: 'The mapped services', example: 'service list --tenant acme' },
    ofTenant,
    ({ client }, options) => client.list(tenantPath(options.tenant, 'services')),
  );
  declare<{ tenant: string }>(
    service,
    'unmap <id>',
    { summary: 'Unmap a service; its keys stay', example: 'service unmap billing --tenant acme' },
    ofTenant,
    ({ client }, options, id) => client.delete(tenantPath(options.tenant, 'services', id)),
  );
}

export const ofTenant = (c: Command): Command => c.requiredOption('--tenant <id>', 'the tenant');

/** `key=value` pairs; values that are JSON are taken as such. */
export function pairs(list: readonly string[] | undefined): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const pair of list ?? []) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`${pair} is not of the form name=value.`);
    out[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return out;
}
