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
  readonly l2MaxAgeSeconds?: string;
  readonly l2MaxUses?: string;
  readonly l2RetireAfterSeconds?: string;
  readonly l3MaxAgeSeconds?: string;
  readonly l3MaxUses?: string;
  readonly l3RetireAfterSeconds?: string;
  readonly allowExport?: boolean;
}
const withPolicy = (c: Command): Command =>
  c
    .option('--lease-seconds <n>', 'how long one proof of the root key lasts (10–300)')
    .option('--cache-ttl-seconds <n>', 'how long an Edge keeps a data key')
    .option('--cache-max-uses <n>', 'how often it uses one')
    .option('--cache-max-age-seconds <n>', 'how old one may get')
    .option('--cache-off', 'a fresh data key for every operation')
    .option('--allow-export', 'callers may be given data keys, which nothing can take back')
    .option('--no-allow-export', 'no data key leaves an Edge')
    .option('--l2-max-age-seconds <n>', 'the tenant key rotates by this age, or never')
    .option('--l2-max-uses <n>', 'or when so many versions were made under it, or never')
    .option('--l2-retire-after-seconds <n>', 'an old version goes so long after, or never')
    .option('--l3-max-age-seconds <n>', 'a service key rotates by this age, or never')
    .option('--l3-max-uses <n>', 'or when it has protected so much, or never')
    .option('--l3-retire-after-seconds <n>', 'an old version goes so long after, or never');

/** What holds no value is left out, and so keeps what it is. */
const inPart = <T extends object>(part: T): T | undefined =>
  Object.values(part).some((value) => value !== undefined) ? part : undefined;

function policyOf(options: PolicyOptions): object {
  const number = (text: string | undefined) => (text === undefined ? undefined : wholeNumber(text));
  const cache = {
    ttlSeconds: number(options.cacheTtlSeconds),
    maxUses: number(options.cacheMaxUses),
    maxAgeSeconds: number(options.cacheMaxAgeSeconds),
    off: options.cacheOff,
  };
  const orNever = (text: string | undefined) => (text === 'never' ? null : number(text));
  const L2 = inPart({
    maxAgeSeconds: orNever(options.l2MaxAgeSeconds),
    maxUses: orNever(options.l2MaxUses),
    retireAfterSeconds: orNever(options.l2RetireAfterSeconds),
  });
  const L3 = inPart({
    maxAgeSeconds: orNever(options.l3MaxAgeSeconds),
    maxUses: orNever(options.l3MaxUses),
    retireAfterSeconds: orNever(options.l3RetireAfterSeconds),
  });
  const { allowExport } = options;
  const leaseSeconds = number(options.leaseSeconds);
  return { leaseSeconds, cache: inPart(cache), allowExport, rotation: inPart({ L2, L3 }) };
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
