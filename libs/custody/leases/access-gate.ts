import { type AccessState, type Lock, type LockKind, locksOf, type TenantState } from '@kcm/domain';
import { type Code, CODES, never } from '@kcm/kernel';

/** Which lock speaks first when several are held: the one that is hardest to lift. */
const ORDER: readonly LockKind[] = [
  'killed',
  'blocked',
  'suspended',
  'providerDenied',
  // What ends all use speaks before what leaves decrypting.
  'readOnly',
];
const ROOT_KEY_CODES: ReadonlySet<string> = new Set(
  CODES.filter((code) => code.startsWith('root_key_')),
);

/**
 * Why a tenant's service has no access at all, not to decrypt either, or null. `service` null asks
 * for the whole tenant, which a lock on one service does not close.
 */
export function closedBy(access: AccessState, service: string | null): Code | null {
  const first = hardest(access, service);
  return first === undefined || !closes(first) ? null : codeOf(first);
}

/** Why nothing new may be protected, or null: access = no lock held. `service` as above. */
export function protectingClosedBy(access: AccessState, service: string | null): Code | null {
  const first = hardest(access, service);
  return first === undefined ? null : codeOf(first);
}

/** Whether a lock ends all use of what it concerns, and not new use alone. */
export const closes = ({ kind }: Pick<Lock, 'kind'>): boolean => kind !== 'readOnly';

function hardest(access: AccessState, service: string | null): Lock | undefined {
  const held = locksOf(access).filter(
    ({ scope }) => 'all' in scope || (service !== null && scope.service === service),
  );
  return ORDER.map((kind) => held.find((lock) => lock.kind === kind)).find(
    (lock) => lock !== undefined,
  );
}

export const providerDenials = (access: AccessState): readonly Lock[] =>
  locksOf(access).filter((lock) => lock.kind === 'providerDenied');

export const isProviderDenied = (access: AccessState): boolean =>
  providerDenials(access).length > 0;

/** Whether the whole tenant is closed for a reason that no keystore's answer can lift. */
export const closedByOthers = (access: AccessState): boolean =>
  locksOf(access).some(
    (lock) => lock.kind !== 'providerDenied' && closes(lock) && 'all' in lock.scope,
  );

function codeOf(lock: Lock): Code {
  switch (lock.kind) {
    case 'killed':
      return 'tenant_killed';
    case 'blocked':
      return 'tenant_blocked';
    case 'suspended':
      return 'tenant_suspended';
    case 'readOnly':
      return 'tenant_read_only';
    case 'providerDenied':
      // The cause of a keystore's denial is its code; anything else closes all the same.
      return ROOT_KEY_CODES.has(lock.cause) ? (lock.cause as Code) : 'root_key_forbidden';
    default:
      return never(lock.kind);
  }
}

/** Why a tenant as such is not served, or null. */
export function tenantClosedBy(tenant: TenantState): Code | null {
  switch (tenant.status) {
    case 'absent':
      return 'not_found';
    case 'registered':
      return 'tenant_not_active';
    case 'blocked':
      return 'tenant_blocked';
    case 'active':
      return null;
    default:
      return never(tenant);
  }
}
