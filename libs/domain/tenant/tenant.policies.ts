import { REGION_ID, SERVICE_ID, never } from '@kcm/kernel';
import { refused } from '../decider.js';
import { allowed, type Policy } from '../policy.js';
import type { TenantCommand } from './tenant.commands.js';
import { changedPolicy, defaultPolicy, policyErrors } from './tenant.policy.js';
import type { TenantState } from './tenant.state.js';

type TenantRule = Policy<TenantCommand, TenantState>;

const policyWithinBounds: TenantRule = {
  name: 'a policy is within the bounds of this release',
  check(command, state) {
    if (command.kind !== 'RegisterTenant' && command.kind !== 'ChangePolicy') return allowed;
    const before = state.status === 'absent' ? defaultPolicy : state.policy;
    const errors = policyErrors(changedPolicy(before, command.policy));
    if (errors.length === 0) return allowed;
    return refused(
      'invalid_request',
      'The policy is out of bounds.',
      errors.map((error) => ({ ...error, path: `policy.${error.path}` })),
    );
  },
};

const idsWellFormed: TenantRule = {
  name: 'a region and a service have ids that every name can hold',
  check(command) {
    const bad = (path: string, form: RegExp) =>
      refused('invalid_request', `The ${path} is not an id.`, [
        { path, code: 'malformed', detail: `matches ${form.source}` },
      ]);
    switch (command.kind) {
      case 'RegisterTenant':
        return REGION_ID.test(command.homeRegion) ? allowed : bad('homeRegion', REGION_ID);
      case 'MapService':
        return SERVICE_ID.test(command.service) ? allowed : bad('service', SERVICE_ID);
      default:
        return allowed;
    }
  },
};

const existsFirst: TenantRule = {
  name: 'only a registered tenant can be changed, and none twice registered',
  check(command, state) {
    if (command.kind === 'RegisterTenant')
      return state.status === 'absent'
        ? allowed
        : refused('already_exists', 'A tenant has this id; an id is never used again.');
    return state.status === 'absent' ? refused('not_found', 'No such tenant.') : allowed;
  },
};

const blockedStandsStill: TenantRule = {
  name: 'while the platform blocks a tenant nothing of it is changed',
  check(command, state) {
    if (state.status !== 'blocked') return allowed;
    switch (command.kind) {
      case 'RecordBlocked':
      case 'RecordUnblocked':
      case 'RegisterTenant':
        return allowed;
      case 'ActivateTenant':
      case 'ChangePolicy':
      case 'MapService':
      case 'UnmapService':
        return refused('tenant_blocked', 'The platform has blocked this tenant.');
      default:
        return never(command);
    }
  },
};

const servicesNeedActive: TenantRule = {
  name: 'services are mapped to an active tenant',
  check(command, state) {
    if (command.kind !== 'MapService' && command.kind !== 'UnmapService') return allowed;
    return state.status === 'registered'
      ? refused('tenant_not_active', 'Activate the tenant before mapping services.')
      : allowed;
  },
};

export const tenantPolicies: readonly TenantRule[] = [
  idsWellFormed,
  policyWithinBounds,
  existsFirst,
  blockedStandsStill,
  servicesNeedActive,
];
