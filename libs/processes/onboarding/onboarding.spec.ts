import {
  defaultPolicy,
  type AccessEvent,
  type KeyEvent,
  type LockKind,
  type Scope,
} from '@kcm/domain';
import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import { onboarding } from './index.js';

const { tenant, access, rootkeys, l2, l3 } = acmeStreams;
const fold = (story: Story) => new ProcessFold(onboarding).add(story.events);
const ids = (story: Story) =>
  fold(story)
    .todo('acme')
    .map(({ id }) => id);

function connected(): Story {
  return new Story()
    .run<'tenant'>(tenant, { kind: 'RegisterTenant', homeRegion: 'local', policy: defaultPolicy })
    .run<'rootkeys'>(rootkeys, {
      kind: 'RequestConnection',
      rootKeyId: 'rk1',
      keystore: 'software',
      reference: {},
      mode: 'hyok',
      credentialsDigest: null,
      operation: 'op1',
    })
    .run<'rootkeys'>(rootkeys, {
      kind: 'ConfirmConnection',
      rootKeyId: 'rk1',
      resolved: 'r1',
      keyVersion: '1',
      callId: 'c1',
      providerRequestId: null,
    });
}
const created = (level: 'L2' | 'L3', service: string | null): KeyEvent => ({
  type: 'KeyCreated',
  data: { level, service, parent: 'p' },
});
const active = () => connected().run<'tenant'>(tenant, { kind: 'ActivateTenant' });
const mapped = (story: Story, service = 'billing') =>
  story.run<'tenant'>(tenant, { kind: 'MapService', service });
const locked = (scope: Scope, kind: LockKind = 'suspended'): AccessEvent => ({
  type: 'LockTaken',
  data: { lock: 's1', kind, scope, owner: 'tenant', cause: 'x', epoch: 1 },
});

describe('process onboarding', () => {
  processContract(onboarding);

  it('connects a requested root key until it is connected or refused', () => {
    const story = new Story().run<'rootkeys'>(rootkeys, {
      kind: 'RequestConnection',
      rootKeyId: 'rk1',
      keystore: 'software',
      reference: {},
      mode: 'hyok',
      credentialsDigest: null,
      operation: 'op1',
    });
    expect(fold(story).todo('acme')).toEqual([
      {
        id: 'connect:op1',
        step: { kind: 'connectRootKey', tenant: 'acme', rootKeyId: 'rk1' },
      },
    ]);
    story.run<'rootkeys'>(rootkeys, {
      kind: 'RefuseConnection',
      rootKeyId: 'rk1',
      step: 'auth',
      code: 'keystore_auth_failed',
      callId: null,
    });
    expect(ids(story)).toEqual([]);
  });

  it('creates the L2 under the primary root key, once', () => {
    const story = connected();
    expect(fold(story).todo('acme')).toEqual([
      { id: 'l2', step: { kind: 'createL2', tenant: 'acme', rootKeyId: 'rk1' } },
    ]);
    expect(ids(story.note(l2, [created('L2', null)]))).toEqual([]);
  });

  it('creates the L3 of each mapped service, after the L2 and once', () => {
    const story = mapped(mapped(active()), 'mail');
    expect(ids(story)).toEqual(['l2']);
    story.note(l2, [created('L2', null)]);
    expect(
      fold(story)
        .todo('acme')
        .map(({ step }) => step),
    ).toEqual([
      { kind: 'createL3', tenant: 'acme', service: 'billing' },
      { kind: 'createL3', tenant: 'acme', service: 'mail' },
    ]);
    story.note(l3, [created('L3', 'billing')]);
    expect(ids(story)).toEqual(['l3:mail']);
    story.run<'tenant'>(tenant, { kind: 'UnmapService', service: 'mail' });
    expect(ids(story)).toEqual([]);
  });

  it('a service mapped again keeps the L3 that it had', () => {
    const story = mapped(active()).note(l2, [created('L2', null)]);
    story.note(l3, [created('L3', 'billing')]);
    story.run<'tenant'>(tenant, { kind: 'UnmapService', service: 'billing' });
    expect(ids(mapped(story))).toEqual([]);
  });

  it.each([
    [{ all: true } as const, []],
    [{ service: 'billing' }, ['l3:mail']],
    [{ service: 'other' }, ['l3:billing', 'l3:mail']],
  ])('makes no key in the scope of a lock: %j', (scope, left) => {
    const story = mapped(mapped(active()), 'mail').note(l2, [created('L2', null)]);
    story.note(access, [locked(scope)]);
    expect(ids(story)).toEqual(left);
    story.note(access, [
      { type: 'LockReleased', data: { lock: 's1', kind: 'suspended', epoch: 2 } },
    ]);
    expect(ids(story)).toEqual(['l3:billing', 'l3:mail']);
  });

  it.each(['suspended', 'readOnly'] as const)('makes no L2 while the tenant is %s', (kind) => {
    expect(ids(connected().note(access, [locked({ all: true }, kind)]))).toEqual([]);
  });

  it('makes the L3 of a service that was mapped while read-only when that is lifted', () => {
    const story = active().note(l2, [created('L2', null)]);
    story.note(access, [locked({ all: true }, 'readOnly')]);
    expect(ids(mapped(story))).toEqual([]);
    story.note(access, [
      { type: 'LockReleased', data: { lock: 's1', kind: 'readOnly', epoch: 2 } },
    ]);
    expect(ids(story)).toEqual(['l3:billing']);
  });

  it('probes and rotates until the outcome is recorded', () => {
    const story = connected().note(l2, [created('L2', null)]);
    story
      .run<'rootkeys'>(rootkeys, { kind: 'RequestProbe', rootKeyId: 'rk1', operation: 'p1' })
      .note(l3, [{ type: 'KeyRotationRequested', data: { from: 1, operation: 'o1' } }]);
    expect(fold(story).todo('acme')).toEqual([
      {
        id: 'probe:p1',
        step: { kind: 'probeRootKey', tenant: 'acme', rootKeyId: 'rk1', operation: 'p1' },
      },
      {
        id: 'rotate:o1',
        step: { kind: 'rotateL3', tenant: 'acme', key: 'l3-1', operation: 'o1' },
      },
    ]);
    story
      .run<'rootkeys'>(rootkeys, {
        kind: 'RecordProbe',
        rootKeyId: 'rk1',
        operation: 'p1',
        outcome: 'ok',
        code: null,
        step: null,
        callId: null,
        providerRequestId: null,
      })
      .note(l3, [{ type: 'KeyRotated', data: { from: 1, to: 2, operation: 'o1' } }]);
    expect(ids(story)).toEqual([]);
  });

  it('rotates an L2 by what only Core can do with the root key', () => {
    const story = connected()
      .note(l2, [created('L2', null)])
      .note(l2, [{ type: 'KeyRotationRequested', data: { from: 1, operation: 'o1' } }]);
    expect(fold(story).todo('acme')).toEqual([
      {
        id: 'rotate:o1',
        step: { kind: 'rotateL2', tenant: 'acme', key: 'l2-1', operation: 'o1' },
      },
    ]);
  });

  it('a version that is made ready and takes over from none is the outcome too', () => {
    const asked = { from: 1, operation: 'o1', prepare: true } as const;
    const story = mapped(active())
      .note(l2, [created('L2', null)])
      .note(l3, [created('L3', 'billing'), { type: 'KeyRotationRequested', data: asked }]);
    expect(ids(story)).toEqual(['rotate:o1']);
    story.note(l3, [{ type: 'KeyVersionPrepared', data: { version: 2, operation: 'o1' } }]);
    expect(ids(story)).toEqual([]);
  });

  it('a revoked key is not rotated any more', () => {
    const story = connected()
      .note(l2, [created('L2', null)])
      .note(l3, [{ type: 'KeyRotationRequested', data: { from: 1, operation: 'o1' } }])
      .note(l3, [{ type: 'KeyRevoked', data: { revocation: 'r1' } }]);
    expect(ids(story)).toEqual([]);
  });
});
