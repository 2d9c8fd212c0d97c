import type { LockKind } from '@kcm/domain';
import { acmeStreams, foldProjection, projectionContract, Story } from '@kcm/testing';
import { tenants } from './index.js';

describe('projection tenants', () => {
  projectionContract(tenants);

  it.each(['readOnly', 'suspended'] as const)('access is not open under a lock %s', (kind) => {
    const { access } = acmeStreams;
    const take = (lock: string, lockKind: LockKind) =>
      ({
        kind: 'TakeLock',
        lock,
        lockKind,
        scope: { service: 'billing' },
        owner: 'tenant',
        cause: 'x',
      }) as const;
    const story = new Story().run<'access'>(access, take('l1', kind));
    const accessNow = () => Object.values(foldProjection(tenants, story.events))[0]!.access;
    expect(accessNow()).toMatchObject({ open: false, locks: [{ lock: 'l1', kind }] });
    story.run<'access'>(access, { kind: 'ReleaseLock', lock: 'l1', owner: 'tenant' });
    expect(accessNow()).toEqual({ open: true, locks: [] });
  });
});
