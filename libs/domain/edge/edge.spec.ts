import { everyCell, given } from '@kcm/testing';
import { edgeDecider } from './edge.decide.js';
import type { EdgeEvent } from './edge.events.js';

const enrolment = {
  services: ['billing'],
  certificateSha256: 'ab'.repeat(32),
  notAfter: '2031-01-01T00:00:00.000Z',
};
const enrolled: EdgeEvent = { type: 'EdgeEnrolled', data: enrolment };
const revoked: EdgeEvent = { type: 'EdgeRevoked', data: {} };
const enrol = { kind: 'EnrolEdge', ...enrolment } as const;

describe('edge: every state × command', () => {
  everyCell(edgeDecider, {
    shows: { absent: 'absent', enrolled: 'enrolled', revoked: 'revoked' },
    histories: { absent: [], enrolled: [enrolled], revoked: [enrolled, revoked] },
    commands: { EnrolEdge: enrol, RevokeEdge: { kind: 'RevokeEdge' } },
    table: {
      absent: { EnrolEdge: ['EdgeEnrolled'], RevokeEdge: 'not_found' },
      enrolled: { EnrolEdge: [], RevokeEdge: ['EdgeRevoked'] },
      revoked: { EnrolEdge: 'wrong_state', RevokeEdge: 'wrong_state' },
    },
  });
});

describe('edge', () => {
  it.each([
    { ...enrolment, services: ['mail'] },
    { ...enrolment, services: ['billing', 'mail'] },
    { ...enrolment, certificateSha256: 'cd'.repeat(32) },
    { ...enrolment, notAfter: '2032-01-01T00:00:00.000Z' },
  ])('a changed enrolment is recorded: %j', (data) =>
    given(edgeDecider, [enrolled])
      .when({ kind: 'EnrolEdge', ...data })
      .then({ type: 'EdgeEnrolled', data }),
  );

  it('every wrong service is named at once', () =>
    given(edgeDecider)
      .when({ ...enrol, services: ['Billing', 'mail', 'mail'] })
      .refused('invalid_request', 'services.0', 'services.2'));

  it('an Edge without a service is refused', () =>
    given(edgeDecider)
      .when({ ...enrol, services: [] })
      .refused('invalid_request', 'services'));
});
