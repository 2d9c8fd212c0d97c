import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RunningOpenBao } from '../../scripts/services/openbao.mjs';
import { ROOT } from '../child.js';
import type { CustomerKms, LoggedCall } from './customer-kms.js';

type StartOpenBao = (options: { readonly dir: string }) => Promise<RunningOpenBao>;
interface AuditLine {
  readonly type: string;
  readonly request: {
    readonly path: string;
    readonly headers?: Readonly<Record<string, readonly string[]>>;
  };
}

/** A real OpenBao server of the customer's own, its audit device on, with one transit key. */
export async function vaultKms(name: string, folder: string): Promise<CustomerKms> {
  const services = pathToFileURL(join(ROOT, 'scripts', 'services', 'openbao.mjs')).href;
  const { startOpenBao } = (await import(services)) as { startOpenBao: StartOpenBao };
  const server = await startOpenBao({ dir: folder });
  const { address, auditFile, rootToken } = server;

  const administer = async (
    method: string,
    path: string,
    body?: object,
  ): Promise<Record<string, string>> => {
    const response = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': rootToken, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`OpenBao refused ${method} ${path}: ${text.trim()}`);
    return text === ''
      ? {}
      : ((JSON.parse(text) as { data: Record<string, string> | null }).data ?? {});
  };
  const policy = `openkcm-${name}`;
  const allow = (): Promise<unknown> =>
    administer('PUT', `sys/policies/acl/${policy}`, { policy: policyOf(name) });

  await administer('POST', 'sys/mounts/transit', { type: 'transit' });
  await administer('POST', `transit/keys/${name}`, { derived: true });
  await allow();
  await administer('POST', 'sys/auth/approle', { type: 'approle' });
  await administer('POST', `auth/approle/role/${name}`, {
    token_policies: policy,
    token_ttl: '20m',
  });
  const role = await administer('GET', `auth/approle/role/${name}/role-id`);
  const secret = await administer('POST', `auth/approle/role/${name}/secret-id`);
  const credentials = { roleId: role['role_id'] ?? '', secretId: secret['secret_id'] ?? '' };

  const reference = { address, mount: 'transit', key: name };
  const connection = { keystore: 'vault', reference };
  return {
    connection: { ...connection, credentials },
    noSuchKey: {
      ...connection,
      reference: { ...reference, key: `${name}-2` },
      credentials: { token: rootToken },
    },
    wrongCredentials: { ...connection, credentials: { ...credentials, secretId: 'none-such' } },
    words: {
      takeAway: `bao policy delete ${policy}`,
      giveBack: `bao policy write ${policy} ${policy}.hcl`,
    },
    code: 'root_key_forbidden',
    auditFile,
    takeAway: async () => void (await administer('DELETE', `sys/policies/acl/${policy}`)),
    giveBack: async () => void (await allow()),
    calls: () =>
      readFileSync(auditFile, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as AuditLine)
        .filter(({ type, request }) => type === 'response' && request.path.endsWith(`/${name}`))
        .map(loggedCall),
    stop: () => server.stop(),
  };
}

function loggedCall({ request }: AuditLine): LoggedCall {
  const wraps = request.path.startsWith('transit/encrypt/');
  const unwraps = request.path.startsWith('transit/decrypt/');
  return {
    callId: request.headers?.['x-correlation-id']?.[0] ?? null,
    operation: wraps ? 'wrap' : unwraps ? 'unwrap' : 'other',
  };
}

/** What `GET …/root-keys/{k}/trust-policy` asks for. */
const policyOf = (key: string): string =>
  [
    [`transit/encrypt/${key}`, 'update'],
    [`transit/decrypt/${key}`, 'update'],
    [`transit/keys/${key}`, 'read'],
    ['sys/internal/ui/mounts/transit', 'read'],
    ['auth/token/lookup-self', 'read'],
    ['auth/token/revoke-self', 'update'],
  ]
    .map(([path, capability]) => `path "${path}" { capabilities = ["${capability}"] }`)
    .join('\n');
