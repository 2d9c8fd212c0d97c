import type { ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import type { Route } from '../http/access.js';
import { AuthGuard, authorize } from './auth.guard.js';
import type { Principal, Role } from './principal.js';
import { RateLimiter } from './rate-limiter.js';

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

describe('A token that was refused a moment ago', () => {
  it('pays for itself before it is looked at again, and gets in once it is good', async () => {
    const clock = { monotonicMs: () => 0, wallMs: () => 0, bootMs: () => 0 };
    let looked = 0;
    let good = false;
    const authenticator = {
      authenticate: async () => {
        looked += 1;
        return good ? principal('acme', 'auditor') : null;
      },
    };
    const limiter = new RateLimiter({ principal: 0, anonymous: 1 }, clock);
    const reflector = { get: () => route('auditor') } as unknown as Reflector;
    const seal = { sealed: () => false };
    const subjects = { remember: async () => undefined };
    const guard = new AuthGuard(reflector, authenticator, seal, limiter, subjects, clock);
    const ask = async (token: string, ip = '192.0.2.1'): Promise<string> => {
      const request = { headers: { authorization: `Bearer ${token}` }, params: {}, kcm: {}, ip };
      const http = { getRequest: () => request, getResponse: () => ({ header: () => undefined }) };
      const context = { switchToHttp: () => http, getHandler: () => null };
      return guard.canActivate(context as unknown as ExecutionContext).then(
        () => 'in',
        (error: { code: string }) => error.code,
      );
    };
    const five = async () => Promise.all(Array.from({ length: 5 }, () => ask('made-up')));
    expect(new Set(await five())).toEqual(new Set(['unauthenticated']));
    expect([new Set(await five()), looked]).toEqual([new Set(['rate_limited']), 5]);
    // Somebody of the same address whom nobody has refused yet is looked at.
    expect([await ask('another'), looked]).toEqual(['rate_limited', 6]);
    good = true;
    expect([await ask('somebody'), looked]).toEqual(['in', 7]);
    expect([await ask('made-up'), looked]).toEqual(['rate_limited', 7]);
    expect([await ask('made-up', '192.0.2.2'), looked]).toEqual(['in', 8]);
  });
});
