import { operationIdOf } from '@kcm/domain';
import { acmeStreams, foldProjection, projectionContract, Story } from '@kcm/testing';
import { operations } from './index.js';

describe('projection operations', () => {
  projectionContract(operations);

  const mapped = { type: 'ServiceMapped', data: { service: 'billing' } } as const;
  const unmapped = { type: 'ServiceUnmapped', data: { service: 'billing' } } as const;
  const created = {
    type: 'KeyCreated',
    data: { level: 'L3', service: 'billing', parent: 'l2-1' },
  } as const;
  const id = operationIdOf.mapService('acme', 'billing');
  const stateAfter = (story: Story) => foldProjection(operations, story.events)[id]?.state;
  const { tenant, l3 } = acmeStreams;

  it('a mapping waits for its key', () => {
    expect(stateAfter(new Story().note(tenant, [mapped]))).toBe('pending');
    expect(stateAfter(new Story().note(tenant, [mapped]).note(l3, [created]))).toBe('succeeded');
  });

  it('a service unmapped before its key came has failed, and may be mapped anew', () => {
    const story = new Story().note(tenant, [mapped]).note(tenant, [unmapped]);
    expect(stateAfter(story)).toBe('failed');
    expect(stateAfter(story.note(tenant, [mapped]))).toBe('pending');
  });

  it('a key that came after its service was unmapped is there when it is mapped again', () => {
    const story = new Story().note(tenant, [mapped]).note(tenant, [unmapped]);
    story.note(l3, [created]).note(tenant, [mapped]);
    expect(stateAfter(story)).toBe('succeeded');
  });

  it('a block and its end are done when the tenant itself follows them', () => {
    const { access } = acmeStreams;
    const lock = { lock: 'b1', kind: 'blocked', epoch: 1 } as const;
    const taken = {
      type: 'LockTaken',
      data: { ...lock, scope: { all: true }, owner: 'platform', cause: 'operator' },
    } as const;
    const story = new Story().note(access, [taken]);
    const docs = () => foldProjection(operations, story.events);
    const block = operationIdOf.lock('acme', 'b1');
    expect(docs()[block]).toMatchObject({ state: 'pending', resource: '/v1/tenants/acme' });
    story.note(tenant, [{ type: 'TenantBlocked', data: { lock: 'b1' } }]);
    expect(docs()[block]?.state).toBe('succeeded');
    story.note(access, [{ type: 'LockReleased', data: lock }]);
    const unblock = operationIdOf.release('acme', 'b1');
    expect(docs()[unblock]).toMatchObject({ kind: 'tenant.unblock', state: 'pending' });
    story.note(tenant, [{ type: 'TenantUnblocked', data: { lock: 'b1' } }]);
    expect(docs()[unblock]?.state).toBe('succeeded');
  });

  it('a service mapped again has its key already: nothing to wait for', () => {
    const story = new Story().note(tenant, [mapped]).note(l3, [created]);
    expect(stateAfter(story.note(tenant, [unmapped]).note(tenant, [mapped]))).toBe('succeeded');
  });
});
