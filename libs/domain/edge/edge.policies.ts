import { SERVICE_ID, type FieldError } from '@kcm/kernel';
import { refused } from '../decider.js';
import { allowed, type Policy } from '../policy.js';
import type { EdgeCommand } from './edge.commands.js';
import type { EdgeState } from './edge.state.js';

type EdgeRule = Policy<EdgeCommand, EdgeState>;

const servesNamedServices: EdgeRule = {
  name: 'an Edge serves one or more services, each named once',
  check(command) {
    if (command.kind !== 'EnrolEdge') return allowed;
    const { services } = command;
    const errors: FieldError[] = services.flatMap((service, i) => {
      const path = `services.${i}`;
      if (!SERVICE_ID.test(service))
        return [{ path, code: 'malformed', detail: `matches ${SERVICE_ID.source}` }];
      return services.indexOf(service) === i
        ? []
        : [{ path, code: 'repeated', detail: 'named before' }];
    });
    if (services.length === 0)
      errors.push({ path: 'services', code: 'required', detail: 'at least one' });
    return errors.length === 0
      ? allowed
      : refused('invalid_request', 'The services of an Edge are wrong.', errors);
  },
};

const revokedForEver: EdgeRule = {
  name: 'a revoked Edge does not come back under its id',
  check: ({ kind }, state) =>
    state.status === 'revoked' && (kind === 'EnrolEdge' || kind === 'RevokeEdge')
      ? refused('wrong_state', 'This Edge is revoked.')
      : allowed,
};

const known: EdgeRule = {
  name: 'only an Edge that was enrolled is revoked or taken over',
  check: ({ kind }, state) =>
    state.status === 'absent' && kind !== 'EnrolEdge'
      ? refused('not_found', 'No such Edge.')
      : allowed,
};

export const edgePolicies: readonly EdgeRule[] = [servesNamedServices, known, revokedForEver];
