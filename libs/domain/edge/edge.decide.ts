import { never } from '@kcm/kernel';
import { accepted, refused, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { EdgeCommand } from './edge.commands.js';
import type { EdgeEvent } from './edge.events.js';
import { edgePolicies } from './edge.policies.js';
import type { EdgeState } from './edge.state.js';

type Enrolment = Extract<EdgeEvent, { type: 'EdgeEnrolled' }>['data'];

const same = (state: EdgeState, { services, certificateSha256, notAfter }: Enrolment): boolean =>
  state.status === 'enrolled' &&
  state.certificateSha256 === certificateSha256 &&
  state.notAfter === notAfter &&
  state.services.length === services.length &&
  state.services.every((service, i) => service === services[i]);

function decide(command: EdgeCommand, state: EdgeState): Decision<EdgeEvent> {
  const refusal = firstRefusal(edgePolicies, command, state);
  if (refusal !== null) return refusal;
  switch (command.kind) {
    case 'EnrolEdge': {
      const { kind: _, ...enrolment } = command;
      return same(state, enrolment)
        ? accepted()
        : accepted({ type: 'EdgeEnrolled', data: enrolment });
    }
    case 'RevokeEdge':
      return state.status === 'enrolled'
        ? accepted({ type: 'EdgeRevoked', data: {} })
        : refused('not_found', 'No such Edge.');
    default:
      return never(command);
  }
}

export const edgeDecider: Decider<EdgeCommand, EdgeState, EdgeEvent> = {
  initial: { status: 'absent' },
  decide,
  evolve(_, event) {
    switch (event.type) {
      case 'EdgeEnrolled':
        return { status: 'enrolled', ...event.data };
      case 'EdgeRevoked':
        return { status: 'revoked' };
      default:
        return never(event);
    }
  },
};
