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
const since = '2030-05-01T00:00:00.000Z';
const takeover = { since, processing: 'refused', operation: 'op1' } as const;
const compromised: EdgeEvent = { type: 'EdgeCompromised', data: takeover };
const exposed = { operation: 'op1', tenants: 2, keys: 2, versions: 3 };
const compromise = { kind: 'CompromiseEdge', ...takeover } as const;
const enrol = { kind: 'EnrolEdge', ...enrolment } as const;

describe('edge: every state × command', () => {
  everyCell(edgeDecider, {
    shows: { absent: 'absent', enrolled: 'enrolled', revoked: 'revoked' },
    histories: {
      absent: [],
      enrolled: [enrolled],
      revoked: [enrolled, revoked],
      compromised: [enrolled, compromised],
    },
    commands: {
      EnrolEdge: enrol,
      RevokeEdge: { kind: 'RevokeEdge' },
      CompromiseEdge: compromise,
      RecordEdgeExposure: { kind: 'RecordEdgeExposure', ...exposed },
    },
    table: {
      absent: {
        EnrolEdge: ['EdgeEnrolled'],
        RevokeEdge: 'not_found',
        CompromiseEdge: 'not_found',
        RecordEdgeExposure: 'not_found',
      },
      enrolled: {
        EnrolEdge: [],
        RevokeEdge: ['EdgeRevoked'],
        CompromiseEdge: ['EdgeCompromised'],
        RecordEdgeExposure: ['EdgeExposureRecorded'],
      },
      revoked: {
        EnrolEdge: 'wrong_state',
        RevokeEdge: 'wrong_state',
        CompromiseEdge: ['EdgeCompromised'],
        RecordEdgeExposure: ['EdgeExposureRecorded'],
      },
      compromised: {
        EnrolEdge: 'wrong_state',
        RevokeEdge: 'wrong_state',
        CompromiseEdge: [],
        RecordEdgeExposure: ['EdgeExposureRecorded'],
      },
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

  it.each([
    ['an earlier beginning', { since: '2030-04-01T00:00:00.000Z' }, '2030-04-01T00:00:00.000Z'],
    ['otherwise of opening, later', { since: '2030-06-01T00:00:00.000Z' }, since],
  ])('that was taken over is told of again with %s, and never of less', (_, said, from) => {
    const opens = from === since ? ({ processing: 'allowed' } as const) : {};
    const again = { ...compromise, ...said, ...opens, operation: 'op2' };
    return given(edgeDecider, [enrolled, compromised])
      .when(again)
      .then({
        type: 'EdgeCompromised',
        data: { since: from, processing: again.processing, operation: 'op2' },
      });
  });
});
