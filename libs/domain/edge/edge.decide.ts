import { never } from '@kcm/kernel';
import { accepted, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { EdgeCommand } from './edge.commands.js';
import type { EdgeEvent } from './edge.events.js';
import { edgePolicies } from './edge.policies.js';
import type { EdgeState, EdgeTakeover } from './edge.state.js';

type Enrolment = Extract<EdgeEvent, { type: 'EdgeEnrolled' }>['data'];

const same = (state: EdgeState, { services, certificateSha256, notAfter }: Enrolment): boolean =>
  state.status === 'enrolled' &&
  state.certificateSha256 === certificateSha256 &&
  state.notAfter === notAfter &&
  state.services.length === services.length &&
  state.services.every((service, i) => service === services[i]);

/** What is said now and was not before: an earlier beginning, or otherwise of opening. */
function takenOver(state: EdgeState, { since, processing }: EdgeTakeover): EdgeTakeover | null {
  const before = state.status === 'revoked' ? state.compromised : undefined;
  if (before === undefined) return { since, processing };
  const first = since < before.since ? since : before.since;
  return first === before.since && processing === before.processing
    ? null
    : { since: first, processing };
}

function compromise(
  { operation, ...said }: Extract<EdgeCommand, { kind: 'CompromiseEdge' }>,
  state: EdgeState,
): Decision<EdgeEvent> {
  const takeover = takenOver(state, said);
  return takeover === null
    ? accepted()
    : accepted({ type: 'EdgeCompromised', data: { ...takeover, operation } });
}

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
      return accepted({ type: 'EdgeRevoked', data: {} });
    case 'CompromiseEdge':
      return compromise(command, state);
    case 'RecordEdgeExposure': {
      const { kind: _, ...data } = command;
      return accepted({ type: 'EdgeExposureRecorded', data });
    }
    default:
      return never(command);
  }
}

export const edgeDecider: Decider<EdgeCommand, EdgeState, EdgeEvent> = {
  initial: { status: 'absent' },
  decide,
  evolve(state, event) {
    switch (event.type) {
      case 'EdgeEnrolled':
        return { status: 'enrolled', ...event.data };
      case 'EdgeRevoked':
        return { status: 'revoked' };
      case 'EdgeCompromised': {
        const { since, processing } = event.data;
        return { status: 'revoked', compromised: { since, processing } };
      }
      case 'EdgeExposureRecorded':
        return state;
      default:
        return never(event);
    }
  },
};
