/**
 * Who may, as the reference page says it, written out by hand: the running router is compared with
 * this, not this with the code.
 */
export const TENANT_ROLES = ['tenant-admin', 'key-admin', 'approver', 'auditor'] as const;
export const PLATFORM_ROLES = ['platform-operator', 'platform-auditor'] as const;
export type Role = (typeof TENANT_ROLES)[number] | (typeof PLATFORM_ROLES)[number];

export interface Row {
  readonly method: string;
  readonly path: string;
  readonly may: 'anybody' | readonly Role[];
  /** One that it takes, where it does not take an empty one. */
  readonly body?: object;
}

const ALL: readonly Role[] = [...TENANT_ROLES, ...PLATFORM_ROLES];
const OPERATOR: readonly Role[] = ['platform-operator'];
const OPERATOR_READS: readonly Role[] = ['platform-operator', 'platform-auditor'];
const ADMIN: readonly Role[] = ['tenant-admin'];
const KEY_ADMIN: readonly Role[] = ['key-admin'];
const AUDITORS: readonly Role[] = ['auditor', 'platform-auditor'];
const LOCKERS: readonly Role[] = ['tenant-admin', 'key-admin', 'platform-operator'];
const SHREDDERS: readonly Role[] = ['tenant-admin', 'key-admin', 'approver'];
const KEY_READS = [...KEY_ADMIN, ...AUDITORS];
const SERVICE_READS = [...ADMIN, ...AUDITORS];
const REVOCATION_READS = [...LOCKERS, 'approver' as const, ...AUDITORS];

const row = (text: string, may: Row['may'], body: object = {}): Row => {
  const [method = '', path = ''] = text.split(' ');
  return { method, path, may, body };
};
const VERSION = { version: 1 };
const T = '/v1/tenants/{tenant}';

export const ROWS: readonly Row[] = [
  row('GET /livez', 'anybody'),
  row('GET /readyz', 'anybody'),
  row('GET /metrics', 'anybody'),
  row('GET /openapi.json', 'anybody'),
  row('GET /v1/sys/status', 'anybody'),
  row('POST /v1/sys/init', OPERATOR),
  row('POST /v1/sys/unseal', OPERATOR),
  row('POST /v1/sys/seal', OPERATOR),
  row('POST /v1/sys/rekey', OPERATOR),
  row('POST /v1/sys/rotate', OPERATOR),
  row('GET /v1/sys/backup', OPERATOR),
  row('POST /v1/sys/tokens', OPERATOR),
  row('POST /v1/sys/certificates', OPERATOR),
  row('GET /v1/sys/projections', OPERATOR_READS),
  row('POST /v1/sys/projections/{name}/rebuild', OPERATOR),
  row('GET /v1/edges', OPERATOR_READS),
  row('POST /v1/edges', OPERATOR),
  row('GET /v1/edges/{edge}', OPERATOR_READS),
  row('POST /v1/edges/{edge}/revoke', OPERATOR),
  row('POST /v1/edges/{edge}/compromise', OPERATOR, { since: '2026-01-01T00:00:00Z' }),
  row('GET /v1/edges/{edge}/exposures', OPERATOR_READS),
  row('GET /v1/audit', ['platform-auditor']),
  row('GET /v1/keystores', ALL),
  row('GET /v1/log/{region}/checkpoint', ALL),
  row('GET /v1/log/{region}/proof', ALL),
  row('GET /v1/log/{region}/consistency', ALL),
  row('GET /v1/log/{region}/tile/{rest}', ALL),
  row('GET /v1/operations/{operation}', ALL),
  row('GET /v1/tenants', OPERATOR_READS),
  row('POST /v1/tenants', OPERATOR),
  row(`GET ${T}`, [...OPERATOR_READS, 'tenant-admin', 'auditor']),
  row(`POST ${T}/activate`, OPERATOR),
  row(`POST ${T}/block`, OPERATOR),
  row(`POST ${T}/unblock`, OPERATOR),
  row(`PUT ${T}/policy`, ADMIN),
  row(`GET ${T}/services`, SERVICE_READS),
  row(`POST ${T}/services`, ADMIN),
  row(`GET ${T}/services/{service}`, SERVICE_READS),
  row(`DELETE ${T}/services/{service}`, ADMIN),
  row(`GET ${T}/root-keys`, KEY_READS),
  row(`POST ${T}/root-keys`, KEY_ADMIN),
  row(`GET ${T}/root-keys/{rootKey}`, KEY_READS),
  row(`GET ${T}/root-keys/{rootKey}/trust-policy`, KEY_READS),
  row(`POST ${T}/root-keys/{rootKey}/probe`, KEY_ADMIN),
  row(`GET ${T}/revocations`, REVOCATION_READS),
  row(`POST ${T}/revocations`, LOCKERS),
  row(`GET ${T}/revocations/{revocation}`, REVOCATION_READS),
  row(`POST ${T}/revocations/{revocation}/release`, ADMIN),
  row(`POST ${T}/revocations/{revocation}/shred`, SHREDDERS),
  row(`GET ${T}/revocations/{revocation}/receipt`, [...SHREDDERS, ...AUDITORS]),
  row(`GET ${T}/trust`, ALL),
  row(`GET ${T}/locks`, ALL),
  row(`GET ${T}/keys`, KEY_READS),
  row(`GET ${T}/keys/{key}`, KEY_READS),
  row(`GET ${T}/keys/{key}/exposures`, KEY_READS),
  row(`POST ${T}/keys/{key}/rotate`, KEY_ADMIN),
  row(`POST ${T}/keys/{key}/activate`, KEY_ADMIN, VERSION),
  row(`POST ${T}/keys/{key}/deactivate`, KEY_ADMIN),
  row(`POST ${T}/keys/{key}/compromise`, KEY_ADMIN, { since: '2026-01-01T00:00:00Z' }),
  row(`POST ${T}/keys/{key}/archive`, KEY_ADMIN, VERSION),
  row(`POST ${T}/keys/{key}/recover`, KEY_ADMIN, VERSION),
  row(`GET ${T}/keys/{key}/usage`, KEY_READS),
  row(`POST ${T}/keys/{key}/rewrapping`, KEY_ADMIN),
  row(`POST ${T}/keys/{key}/versions/{version}/destroy`, KEY_ADMIN),
  row(`GET ${T}/audit`, AUDITORS),
  row(`GET ${T}/events`, AUDITORS),
  row(`GET ${T}/events/{event}`, AUDITORS),
  row(`GET ${T}/leases`, AUDITORS),
];

/** The reference page: the same for everybody, without data, and so without a declaration. */
export const PAGE: readonly string[] = ['GET /docs', 'GET /docs/', 'GET /docs/js/scalar.js'];
