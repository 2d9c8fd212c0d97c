import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { declare } from '../program.js';
import { ofTenant, pairs, tenantPath } from './tenants.js';

interface Connect {
  readonly tenant: string;
  readonly keystore: string;
  readonly reference?: string[];
  readonly credential?: string[];
  readonly credentialsFile?: string;
}

function credentialsOf({ credential, credentialsFile }: Connect): object | undefined {
  if (credentialsFile !== undefined)
    return JSON.parse(readFileSync(credentialsFile, 'utf8')) as object;
  return credential === undefined ? undefined : pairs(credential);
}

export function keyCommands(program: Command): void {
  const rootKey = program.command('rootkey').description("The customer's root keys");
  declare<Connect>(
    rootKey,
    'connect',
    {
      summary: 'Connect a root key that the customer holds',
      example:
        'rootkey connect --tenant acme --keystore software --reference url=http://127.0.0.1:8300 key=acme --credential token=…',
    },
    (c) =>
      ofTenant(c)
        .requiredOption('--keystore <name>', 'software, vault (see `kcm rootkey keystores`)')
        .option('--reference <name=value...>', 'fields of the reference')
        .option('--credential <name=value...>', 'write-only; better --credentials-file')
        .option('--credentials-file <file>', 'JSON'),
    ({ client }, options) => {
      const credentials = credentialsOf(options);
      return client.post(tenantPath(options.tenant, 'root-keys'), {
        keystore: options.keystore,
        reference: pairs(options.reference),
        ...(credentials === undefined ? {} : { credentials }),
        mode: 'hyok',
      });
    },
  );
  declare(
    rootKey,
    'keystores',
    { summary: 'What can hold a root key, and its fields', example: 'rootkey keystores' },
    (c) => c,
    ({ client }) => client.list('/v1/keystores'),
  );
  declare<{ tenant: string }>(
    rootKey,
    'list',
    { summary: 'The connected root keys', example: 'rootkey list --tenant acme' },
    ofTenant,
    ({ client }, { tenant }) => client.list(tenantPath(tenant, 'root-keys')),
  );
  declare<{ tenant: string }>(
    rootKey,
    'show <id>',
    { summary: 'A root key and its last proof', example: 'rootkey show rk-… --tenant acme' },
    ofTenant,
    ({ client }, { tenant }, id) => client.get(tenantPath(tenant, 'root-keys', id)),
  );
  declare<{ tenant: string }>(
    rootKey,
    'probe <id>',
    { summary: 'Try it now, live', example: 'rootkey probe rk-… --tenant acme' },
    ofTenant,
    ({ client }, { tenant }, id) => client.post(tenantPath(tenant, 'root-keys', id, 'probe')),
  );
  declare<{ tenant: string }>(
    rootKey,
    'trust-policy <id>',
    {
      summary: 'What to paste into the keystore',
      example: 'rootkey trust-policy rk-… --tenant acme',
    },
    ofTenant,
    ({ client }, { tenant }, id) => client.get(tenantPath(tenant, 'root-keys', id, 'trust-policy')),
  );
  const key = program.command('key').description('L2 and L3 keys; never material');
  declare<{ tenant: string }>(
    key,
    'list',
    { summary: 'The keys of a tenant', example: 'key list --tenant acme' },
    ofTenant,
    ({ client }, { tenant }) => client.list(tenantPath(tenant, 'keys')),
  );
  declare<{ tenant: string }>(
    key,
    'show <id>',
    { summary: 'A key and its versions', example: 'key show l3-… --tenant acme' },
    ofTenant,
    ({ client }, { tenant }, id) => client.get(tenantPath(tenant, 'keys', id)),
  );
  declare<{ tenant: string }>(
    key,
    'rotate <id>',
    {
      summary: 'Rotate an L3 or the L2; old ciphertext still opens',
      example: 'key rotate l3-… --tenant acme',
    },
    ofTenant,
    ({ client }, { tenant }, id) => client.post(tenantPath(tenant, 'keys', id, 'rotate')),
  );
}
