import { type Fields, textOf } from '../fields.js';
import type { TrustPolicy } from '../keystore.js';

/** The least that the driver needs: use of the key, its state, and its own token's state. */
export function trustPolicy(reference: Fields, tenant: string, region: string): TrustPolicy {
  const mount = textOf(reference, 'mount') ?? 'transit';
  const key = textOf(reference, 'key') ?? 'KEY';
  const namespace = textOf(reference, 'namespace');
  const name = `openkcm-${region}-${tenant}`;
  const rule = (path: string, capability: string): string =>
    `path "${path}" {\n  capabilities = ["${capability}"]\n}`;
  return {
    identity: `policy ${name}, given to an AppRole or an orphan token of that name`,
    policy: [
      rule(`${mount}/encrypt/${key}`, 'update'),
      rule(`${mount}/decrypt/${key}`, 'update'),
      rule(`${mount}/keys/${key}`, 'read'),
      rule(`sys/internal/ui/mounts/${mount}`, 'read'),
      rule('auth/token/lookup-self', 'read'),
      rule('auth/token/revoke-self', 'update'),
    ].join('\n'),
    steps: [
      ...(namespace === null ? [] : [`export BAO_NAMESPACE=${namespace}`]),
      `bao write -f ${mount}/keys/${key} derived=true   (once, if the key is new)`,
      `Save the policy as ${name}.hcl and run: bao policy write ${name} ${name}.hcl`,
      `bao write auth/approle/role/${name} token_policies=${name} token_ttl=20m`,
      `bao read auth/approle/role/${name}/role-id   (credential "roleId")`,
      `bao write -f auth/approle/role/${name}/secret-id   (credential "secretId")`,
      'Leave the token its default policy: with it, a withdrawn policy is told from a dead token.',
      'bao write sys/config/auditing/request-headers/X-Correlation-Id hmac=false   ' +
        '(shows our call id in your audit log)',
      `Withdraw access at any time: bao policy delete ${name}, ` +
        `or bao delete ${mount}/keys/${key}/soft-delete`,
    ],
    logField: 'request.headers["x-correlation-id"]',
  };
}
