import type { Command } from 'commander';
import { showingProbe } from '../probe-steps.js';
import { declare, declareChange, longWork, type Run, withWait } from '../program.js';
import { pairs } from '../pairs.js';
import { readObject } from '../read-file.js';
import { ofTenant, tenantPath } from '../tenant-words.js';

interface Connect {
  readonly tenant: string;
  readonly keystore: string;
  readonly reference?: string[];
  readonly credential?: string[];
  readonly credentialsFile?: string;
}

function credentialsOf({ credential, credentialsFile }: Connect): object | undefined {
  if (credentialsFile !== undefined) return readObject(credentialsFile);
  return credential === undefined ? undefined : pairs(credential);
}

/** Proved by the customer's keystore, which may take its time. */
function proved(run: Run, path: string, body: object): Promise<unknown> {
  const work = () => longWork(run, () => run.client.post(path, body));
  return showingProbe(run.progress, work, () => run.client.pending === null);
}

export function rootKeyCommands(program: Command): void {
  const rootKey = program.command('rootkey').description("The customer's root keys");
  declareChange<Connect>(
    rootKey,
    'connect',
    {
      summary: 'Connect a root key that the customer holds',
      example:
        'rootkey connect --tenant acme --keystore software --reference url=http://127.0.0.1:8300 key=acme --credential token=…',
    },
    (c) =>
      withWait(ofTenant(c))
        .requiredOption('--keystore <name>', 'software, vault (see `kcm rootkey keystores`)')
        .option('--reference <name=value...>', 'fields of the reference')
        .option('--credential <name=value...>', 'write-only; better --credentials-file')
        .option('--credentials-file <file>', 'JSON'),
    (run, options) => {
      const credentials = credentialsOf(options);
      return proved(run, tenantPath(options.tenant, 'root-keys'), {
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
  declareChange<{ tenant: string }>(
    rootKey,
    'probe <id>',
    { summary: 'Try it now, live', example: 'rootkey probe rk-… --tenant acme' },
    (c) => withWait(ofTenant(c)),
    (run, { tenant }, id) => proved(run, tenantPath(tenant, 'root-keys', id, 'probe'), {}),
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
}
