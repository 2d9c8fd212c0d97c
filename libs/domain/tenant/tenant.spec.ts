import * as fc from 'fast-check';
import { LIMITS } from '@kcm/kernel';
import { everyCell, given } from '@kcm/testing';
import type { TenantCommand } from './tenant.commands.js';
import { tenantDecider } from './tenant.decide.js';
import type { TenantEvent } from './tenant.events.js';
import { defaultPolicy, policyErrors } from './tenant.policy.js';

const registered: TenantEvent = {
  type: 'TenantRegistered',
  data: { homeRegion: 'local', policy: defaultPolicy },
};
const activated: TenantEvent = { type: 'TenantActivated', data: {} };
const mapped: TenantEvent = { type: 'ServiceMapped', data: { service: 'billing' } };
const blocked: TenantEvent = { type: 'TenantBlocked', data: { lock: 'b1' } };
const policy = { ...defaultPolicy, leaseSeconds: 10 };

describe('tenant: every state × command', () => {
  everyCell(tenantDecider, {
    shows: { absent: 'absent', registered: 'registered', active: 'active', blocked: 'blocked' },
    histories: {
      absent: [],
      registered: [registered],
      active: [registered, activated, mapped],
      blocked: [registered, activated, mapped, blocked],
    },
    commands: {
      RegisterTenant: { kind: 'RegisterTenant', homeRegion: 'local', policy },
      ActivateTenant: { kind: 'ActivateTenant' },
      RecordBlocked: { kind: 'RecordBlocked', lock: 'b1' },
      RecordUnblocked: { kind: 'RecordUnblocked', lock: 'b1' },
      ChangePolicy: { kind: 'ChangePolicy', policy },
      MapService: { kind: 'MapService', service: 'mail' },
      UnmapService: { kind: 'UnmapService', service: 'billing' },
    },
    table: {
      absent: {
        RegisterTenant: ['TenantRegistered'],
        ActivateTenant: 'not_found',
        RecordBlocked: 'not_found',
        RecordUnblocked: 'not_found',
        ChangePolicy: 'not_found',
        MapService: 'not_found',
        UnmapService: 'not_found',
      },
      registered: {
        RegisterTenant: 'already_exists',
        ActivateTenant: ['TenantActivated'],
        RecordBlocked: ['TenantBlocked'],
        RecordUnblocked: [],
        ChangePolicy: ['TenantPolicyChanged'],
        MapService: 'tenant_not_active',
        UnmapService: 'tenant_not_active',
      },
      active: {
        RegisterTenant: 'already_exists',
        ActivateTenant: 'wrong_state',
        RecordBlocked: ['TenantBlocked'],
        RecordUnblocked: [],
        ChangePolicy: ['TenantPolicyChanged'],
        MapService: ['ServiceMapped'],
        UnmapService: ['ServiceUnmapped'],
      },
      blocked: {
        RegisterTenant: 'already_exists',
        ActivateTenant: 'tenant_blocked',
        RecordBlocked: [],
        RecordUnblocked: ['TenantUnblocked'],
        ChangePolicy: 'tenant_blocked',
        MapService: 'tenant_blocked',
        UnmapService: 'tenant_blocked',
      },
    },
  });
});

describe('tenant', () => {
  it('a mapped service is not mapped again', () =>
    given(tenantDecider, [registered, activated, mapped])
      .when({ kind: 'MapService', service: 'billing' })
      .refused('already_exists'));

  it('an unmapped service cannot be unmapped', () =>
    given(tenantDecider, [registered, activated])
      .when({ kind: 'UnmapService', service: 'billing' })
      .refused('not_found'));

  it('a policy in part changes that part of what stands when it is decided', () => {
    const cache = { ...policy.cache, maxUses: 7 };
    given(tenantDecider, [registered, { type: 'TenantPolicyChanged', data: { policy } }])
      .when({ kind: 'ChangePolicy', policy: { cache: { maxUses: 7 } } })
      .then({ type: 'TenantPolicyChanged', data: { policy: { ...policy, cache } } });
  });

  it('a policy that changes nothing is accepted and not recorded', () =>
    given(tenantDecider, [registered])
      .when({ kind: 'ChangePolicy', policy: structuredClone(defaultPolicy) })
      .thenNothing());

  it('every wrong field of a policy is named at once, and none is stored', () =>
    given(tenantDecider)
      .when({
        kind: 'RegisterTenant',
        homeRegion: 'local',
        policy: {
          leaseSeconds: 9,
          cache: { ttlSeconds: 0, maxUses: 1.5, maxAgeSeconds: 301, off: false },
          allowExport: false,
          rotation: {
            L2: { maxAgeSeconds: 59, maxUses: 999, retireAfterSeconds: 0 },
            L3: { maxAgeSeconds: 10 ** 10, maxUses: 2 ** 49, retireAfterSeconds: -1 },
          },
        },
      })
      .refused(
        'invalid_request',
        'policy.leaseSeconds',
        'policy.cache.ttlSeconds',
        'policy.cache.maxUses',
        'policy.cache.maxAgeSeconds',
        'policy.rotation.L2.maxAgeSeconds',
        'policy.rotation.L2.maxUses',
        'policy.rotation.L2.retireAfterSeconds',
        'policy.rotation.L3.maxAgeSeconds',
        'policy.rotation.L3.maxUses',
        'policy.rotation.L3.retireAfterSeconds',
      ));

  it('a policy of which an older event knows nothing: keys are replaced as of whoever names nothing, and none is destroyed by itself', () => {
    const { rotation, ...older } = defaultPolicy;
    const { state } = given(tenantDecider, [
      { type: 'TenantRegistered', data: { homeRegion: 'local', policy: older } },
      { type: 'TenantPolicyChanged', data: { policy: { ...older, leaseSeconds: 20 } } },
    ]);
    const retireAfterSeconds = null;
    expect(state).toMatchObject({
      policy: {
        leaseSeconds: 20,
        rotation: {
          L2: { ...rotation.L2, retireAfterSeconds },
          L3: { ...rotation.L3, retireAfterSeconds },
        },
      },
    });
  });

  it.each([
    [LIMITS.leaseSecondsMin - 1, 1],
    [LIMITS.leaseSecondsMin, 0],
    [LIMITS.leaseSecondsMax, 0],
    [LIMITS.leaseSecondsMax + 1, 1],
    [Number.NaN, 1],
  ])('a lease of %s seconds has %s errors', (leaseSeconds, errors) =>
    expect(policyErrors({ ...defaultPolicy, leaseSeconds })).toHaveLength(errors),
  );

  it.each(['', 'Local', 'a b', 'x'.repeat(33)])('%j is no region', (homeRegion) =>
    given(tenantDecider)
      .when({ kind: 'RegisterTenant', homeRegion, policy })
      .refused('invalid_request', 'homeRegion'),
  );

  it.each(['', 'a.b', '-a', '../a'])('%j is no service', (service) =>
    given(tenantDecider, [registered, activated])
      .when({ kind: 'MapService', service })
      .refused('invalid_request', 'service'),
  );

  it('unblocking leads back to where the block found the tenant', () => {
    const unblocked: TenantEvent = { type: 'TenantUnblocked', data: { lock: 'b1' } };
    expect(given(tenantDecider, [registered, blocked, unblocked]).state.status).toBe('registered');
    expect(given(tenantDecider, [registered, activated, blocked, unblocked]).state.status).toBe(
      'active',
    );
  });

  it('the release of another block leaves this one standing', () =>
    given(tenantDecider, [registered, blocked])
      .when({ kind: 'RecordUnblocked', lock: 'b0' })
      .thenNothing());

  it('no sequence of commands leaves services on a tenant that was never active', () => {
    const service = fc.constantFrom('a', 'b');
    const lock = fc.constantFrom('b1', 'b2');
    const command: fc.Arbitrary<TenantCommand> = fc.oneof(
      fc.constant<TenantCommand>({ kind: 'RegisterTenant', homeRegion: 'local', policy }),
      fc.constant<TenantCommand>({ kind: 'ActivateTenant' }),
      lock.map((id): TenantCommand => ({ kind: 'RecordBlocked', lock: id })),
      lock.map((id): TenantCommand => ({ kind: 'RecordUnblocked', lock: id })),
      service.map((id): TenantCommand => ({ kind: 'MapService', service: id })),
      service.map((id): TenantCommand => ({ kind: 'UnmapService', service: id })),
      fc.integer({ min: 0, max: 400 }).map((leaseSeconds): TenantCommand => ({
        kind: 'ChangePolicy',
        policy: { ...policy, leaseSeconds },
      })),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        let state = tenantDecider.initial;
        let active = false;
        for (const each of commands) {
          const decision = tenantDecider.decide(each, state);
          if (decision.kind === 'refused') continue;
          for (const event of decision.events) state = tenantDecider.evolve(state, event);
          if (state.status === 'absent') continue;
          active ||= state.status === 'active';
          expect(policyErrors(state.policy)).toEqual([]);
          expect(active || state.services.size === 0).toBe(true);
        }
      }),
    );
  });
});
