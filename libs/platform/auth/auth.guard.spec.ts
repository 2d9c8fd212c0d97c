import type { Route } from '../http/access.js';
import { authorize } from './auth.guard.js';
import type { Principal, Role } from './principal.js';

const route = (...roles: readonly Role[]): Route => ({
  method: 'GET',
  path: 'v1/tenants/:tenant',
  summary: '',
  roles,
  status: 200,
});
const principal = (tenant: string | null, ...roles: readonly Role[]): Principal => ({
  tenant,
  subject: 's',
  actor: 'sub-s',
  roles: new Set(roles),
  expiresAtMs: null,
});
const code = (act: () => void): string | null => {
  try {
    act();
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('Who may', () => {
  it('another tenant’s path is not found, whatever the role', () => {
    const everybody = route('tenant-admin', 'platform-operator');
    for (const role of ['tenant-admin', 'auditor', 'platform-operator'] as const)
      expect(code(() => authorize(principal('acme', role), everybody, 'globex'))).toBe('not_found');
    expect(code(() => authorize(principal('acme', 'tenant-admin'), everybody, 'acme'))).toBeNull();
  });

  it('any one of the roles is enough, and none implies another', () => {
    const two = route('key-admin', 'auditor');
    expect(code(() => authorize(principal('acme', 'auditor'), two, 'acme'))).toBeNull();
    expect(code(() => authorize(principal('acme', 'tenant-admin'), two, 'acme'))).toBe('forbidden');
    expect(code(() => authorize(principal('acme'), two, 'acme'))).toBe('forbidden');
  });

  it('a role counts for its own kind of principal only', () => {
    const both = route('platform-operator', 'tenant-admin');
    const tenants = principal('acme', 'platform-operator');
    const platforms = principal(null, 'tenant-admin');
    expect(code(() => authorize(tenants, both, 'acme'))).toBe('forbidden');
    expect(code(() => authorize(platforms, both, 'acme'))).toBe('forbidden');
    expect(code(() => authorize(principal(null, 'platform-operator'), both, 'acme'))).toBeNull();
  });
});
