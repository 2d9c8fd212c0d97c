import { never } from '@kcm/kernel';
import { accepted, refused, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { TenantCommand } from './tenant.commands.js';
import type { TenantEvent } from './tenant.events.js';
import { tenantPolicies } from './tenant.policies.js';
import { changedPolicy, policyOf, samePolicy } from './tenant.policy.js';
import type { TenantState } from './tenant.state.js';

function decide(command: TenantCommand, state: TenantState): Decision<TenantEvent> {
  const refusal = firstRefusal(tenantPolicies, command, state);
  if (refusal !== null) return refusal;
  if (command.kind === 'RegisterTenant') {
    const { homeRegion, policy } = command;
    return accepted({ type: 'TenantRegistered', data: { homeRegion, policy } });
  }
  if (state.status === 'absent') return refused('not_found', 'No such tenant.');
  switch (command.kind) {
    case 'ActivateTenant':
      return state.status === 'registered'
        ? accepted({ type: 'TenantActivated', data: {} })
        : refused('wrong_state', 'The tenant is active already.');
    case 'RecordBlocked':
      return state.status === 'blocked'
        ? accepted()
        : accepted({ type: 'TenantBlocked', data: { lock: command.lock } });
    case 'RecordUnblocked':
      return state.status === 'blocked' && state.lock === command.lock
        ? accepted({ type: 'TenantUnblocked', data: { lock: command.lock } })
        : accepted();
    case 'ChangePolicy': {
      const policy = changedPolicy(state.policy, command.policy);
      return samePolicy(state.policy, policy)
        ? accepted()
        : accepted({ type: 'TenantPolicyChanged', data: { policy } });
    }
    case 'MapService':
      return state.services.has(command.service)
        ? refused('already_exists', 'This service is mapped already.')
        : accepted({ type: 'ServiceMapped', data: { service: command.service } });
    case 'UnmapService': {
      const { kind: _, ...data } = command;
      return state.services.has(data.service)
        ? accepted({ type: 'ServiceUnmapped', data })
        : refused('not_found', 'No such service.');
    }
    default:
      return never(command);
  }
}

function evolve(state: TenantState, event: TenantEvent): TenantState {
  if (event.type === 'TenantRegistered')
    return state.status === 'absent'
      ? {
          status: 'registered',
          homeRegion: event.data.homeRegion,
          policy: policyOf(event.data.policy),
          services: new Set(),
        }
      : state;
  if (state.status === 'absent') return state;
  switch (event.type) {
    case 'TenantActivated': {
      const { homeRegion, policy, services } = state;
      return { status: 'active', homeRegion, policy, services };
    }
    case 'TenantBlocked':
      return state.status === 'blocked'
        ? state
        : { ...state, status: 'blocked', was: state.status, lock: event.data.lock };
    case 'TenantUnblocked': {
      if (state.status !== 'blocked') return state;
      const { homeRegion, policy, services } = state;
      return { status: state.was, homeRegion, policy, services };
    }
    case 'TenantPolicyChanged':
      return { ...state, policy: policyOf(event.data.policy) };
    case 'ServiceMapped':
      return { ...state, services: new Set([...state.services, event.data.service]) };
    case 'ServiceUnmapped':
      return {
        ...state,
        services: new Set([...state.services].filter((id) => id !== event.data.service)),
      };
    default:
      return never(event);
  }
}

export const tenantDecider: Decider<TenantCommand, TenantState, TenantEvent> = {
  initial: { status: 'absent' },
  decide,
  evolve,
};
