import type { LeaseStanding } from '@kcm/custody';
import type { Reason } from '@kcm/kernel';

const NEXT: { readonly [code: string]: string } = {
  root_key_unreachable: 'look at the network to these keystores; the tenants own them',
  root_key_throttled: 'the keystores limit us: longer leases ask less often (kcm tenant policy)',
  keystore_auth_failed: 'our credentials are refused: the tenants renew them (kcm rootkey connect)',
  integrity: 'a stored key does not open: compare vault.db with the backup that belongs to it',
};

/** What the last calls to customers' keystores were like: how many tenants, never which. */
export function keystoreReasons({ unproved, suspected }: LeaseStanding): Reason[] {
  const of = { dependency: 'keystores', level: 'degraded' } as const;
  const reasons = [...unproved].map(([code, tenants]): Reason => ({
    ...of,
    code,
    detail: `the last call for ${tenants} tenants proved nothing: their leases are not renewed`,
    next: NEXT[code] ?? 'the audit trail of these tenants says what their keystore answered',
  }));
  if (suspected > 0)
    reasons.push({
      ...of,
      code: 'self_suspect',
      detail: `${suspected} keystores deny so many tenants at once that it may be our own fault`,
      next: 'look at our identity at that provider; access is closed for nobody, leases just end',
    });
  return reasons;
}
