import {
  defaultPolicy,
  LOCK_OWNERS,
  type AccessEvent,
  type Grant,
  type LockKind,
  type RevocationEvent,
  type Scope,
} from '@kcm/domain';
import { LIMITS, streamOf, type Code } from '@kcm/kernel';
import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import type { Todo } from '../process.js';
import { revocation } from './index.js';

const { tenant, access, calls } = acmeStreams;
const mine = streamOf('revocation', 'acme', 'l1');
const todo = (story: Story) => new ProcessFold(revocation).add(story.events).todo('acme');

const registered = (leaseSeconds = 60) =>
  new Story().run<'tenant'>(tenant, {
    kind: 'RegisterTenant',
    homeRegion: 'local',
    policy: { ...defaultPolicy, leaseSeconds },
  });
const taken = (
  kind: LockKind,
  more: { cause?: string; scope?: Scope; lockedBy?: string; epoch?: number } = {},
): AccessEvent => ({
  type: 'LockTaken',
  data: {
    lock: 'l1',
    kind,
    scope: { all: true },
    owner: LOCK_OWNERS[kind],
    cause: 'x',
    epoch: 1,
    ...(kind === 'providerDenied'
      ? { rootKeyId: 'rk1', callId: 'c1', providerRequestId: 'p1' }
      : {}),
    ...more,
  },
});
const released: AccessEvent = {
  type: 'LockReleased',
  data: { lock: 'l1', kind: 'suspended', epoch: 2 },
};
const grant = (
  story: Story,
  holder: string,
  seconds: number,
  more: Partial<Grant> = {},
): Grant => ({
  grantId: 'g',
  holder,
  boot: 'b1',
  key: 'l3-1',
  version: 1,
  service: 'billing',
  seconds,
  endsAt: story.after(seconds),
  epoch: 0,
  callId: 'c1',
  providerRequestId: null,
  ...more,
});
const granted = (story: Story, grants: readonly Grant[]) =>
  story.note(calls, [{ type: 'LeasesGranted', data: { grants } }], { tenant: 'acme' });

function opening(list: readonly Todo[]) {
  const [item] = list;
  if (item?.step.kind !== 'revocation' || item.step.command.kind !== 'OpenRevocation')
    throw new Error('no opening');
  return item.step.command.revocation;
}
const openedAs = (list: readonly Todo[]): RevocationEvent => ({
  type: 'RevocationLocked',
  data: opening(list),
});

describe('process revocation', () => {
  processContract(revocation);

  it('opens a revocation for a lock, with who locked and from when', () => {
    const story = registered(60);
    const startedAt = story.now;
    story.note(access, [taken('suspended', { lockedBy: 'sub-a' })]);
    expect(todo(story)).toEqual([
      {
        id: 'open:l1',
        step: {
          kind: 'revocation',
          stream: mine,
          command: {
            kind: 'OpenRevocation',
            revocation: {
              kind: 'suspend',
              scope: { all: true },
              cause: 'x',
              lockedBy: 'sub-a',
              startedAt,
              hardBound: new Date(Date.parse(startedAt) + 61_000).toISOString(),
              epoch: 1,
              holders: [],
              probe: null,
            },
          },
        },
      },
    ]);
    expect(todo(story.note(mine, [openedAs(todo(story))]))).toEqual([]);
  });

  it('a read-only opens one too, with who holds a lease until when, and ends when it is lifted', () => {
    const story = registered(60).note(access, [
      taken('readOnly', { scope: { service: 'mail' }, lockedBy: 'sub-a' }),
    ]);
    const locked = openedAs(todo(story));
    expect(locked.data).toMatchObject({
      kind: 'read-only',
      scope: { service: 'mail' },
      lockedBy: 'sub-a',
      probe: null,
    });
    story
      .note(mine, [locked])
      .note(access, [{ type: 'LockReleased', data: { lock: 'l1', kind: 'readOnly', epoch: 2 } }], {
        actor: 'sub-b',
      });
    expect(todo(story)).toMatchObject([
      { id: 'close:l1', step: { command: { kind: 'RecordReleased', releasedBy: 'sub-b' } } },
    ]);
  });

  const denials: readonly (readonly [Code, string])[] = [
    ['root_key_disabled', 'provider-denied'],
    ['root_key_forbidden', 'provider-denied'],
    ['root_key_not_found', 'l1-destroyed'],
    ['root_key_pending_deletion', 'l1-destroyed'],
  ];
  it.each(denials)('a denial %s opens a revocation %s with its probe', (cause, kind) => {
    const story = registered().note(access, [taken('providerDenied', { cause })]);
    expect(opening(todo(story))).toMatchObject({
      kind,
      probe: { rootKeyId: 'rk1', callId: 'c1', providerRequestId: 'p1' },
    });
  });

  it('a kill opens a kill, locked by the actor of the envelope where the event names none', () => {
    const story = registered().note(access, [taken('killed')], { actor: 'sub-z' });
    expect(opening(todo(story))).toMatchObject({ kind: 'kill', lockedBy: 'sub-z' });
  });

  describe('hard bound', () => {
    const boundAfter = (story: Story) => {
      const at = Date.parse(story.now);
      const { hardBound } = opening(todo(story.note(access, [taken('killed')])));
      return (Date.parse(hardBound) - at) / 1000 - LIMITS.boundSlackSeconds;
    };
    const changed = (story: Story, leaseSeconds: number) =>
      story.run<'tenant'>(tenant, {
        kind: 'ChangePolicy',
        policy: { ...defaultPolicy, leaseSeconds },
      });

    it('is the lease of the policy', () => expect(boundAfter(registered(30))).toBe(30));
    it('is the longest lease there is where no policy is known', () =>
      expect(boundAfter(new Story())).toBe(LIMITS.leaseSecondsMax));
    it('counts a longer policy whose leases may still live', () =>
      expect(boundAfter(changed(registered(200), 10).wait(290))).toBe(200));
    it('forgets a longer policy when its leases have ended', () =>
      expect(boundAfter(changed(registered(200), 10).wait(301))).toBe(10));
    it('does not count a shorter policy of before', () =>
      expect(boundAfter(changed(registered(10), 200))).toBe(200));
  });

  it('names each holder of a living grant in scope once, with its last end', () => {
    const story = registered();
    const grants = [
      grant(story, 'edge:e1', 20),
      grant(story, 'edge:e1', 40, { version: 2 }),
      grant(story, 'edge:e2', 30, { service: 'mail', key: 'l3-2' }),
      grant(story, 'edge:e3', 1),
    ];
    const ends = (index: number) => grants[index]!.endsAt;
    granted(story, grants).wait(5);
    const whole = opening(todo(granted(story, []).note(access, [taken('killed')])));
    expect(whole.holders).toEqual([
      { id: 'edge:e1', lastGrantEnds: ends(1) },
      { id: 'edge:e2', lastGrantEnds: ends(2) },
    ]);
  });

  it('a suspended service concerns its own holders only', () => {
    const story = registered();
    granted(story, [
      grant(story, 'edge:e1', 20),
      grant(story, 'edge:e2', 30, { service: 'mail', key: 'l3-2' }),
    ]);
    story.note(access, [taken('suspended', { scope: { service: 'mail' } })]);
    expect(opening(todo(story)).holders.map(({ id }) => id)).toEqual(['edge:e2']);
  });

  it('a grant given before the lock and recorded after it counts, one given after it does not', () => {
    const story = registered().note(access, [taken('suspended')]);
    granted(story, [grant(story, 'edge:e1', 20), grant(story, 'edge:e2', 20, { epoch: 1 })]);
    expect(opening(todo(story)).holders.map(({ id }) => id)).toEqual(['edge:e1']);
  });

  it('keeps no grant that has ended', () => {
    const story = registered();
    granted(story, [grant(story, 'edge:e1', 5)]).wait(10);
    granted(story, [grant(story, 'edge:e2', 5)]);
    const { grants } = new ProcessFold(revocation).add(story.events).state('acme');
    expect(Object.values(grants).map(({ holder }) => holder)).toEqual(['edge:e2']);
  });

  it('releases a revocation after it was opened, never before', () => {
    const story = registered().note(access, [taken('suspended')]);
    const opened = openedAs(todo(story));
    story.note(access, [released], { actor: 'sub-b' });
    expect(todo(story).map(({ id }) => id)).toEqual(['open:l1']);
    expect(todo(story.note(mine, [opened]))).toEqual([
      {
        id: 'close:l1',
        step: {
          kind: 'revocation',
          stream: mine,
          command: { kind: 'RecordReleased', releasedBy: 'sub-b' },
        },
      },
    ]);
    const after = story.note(mine, [{ type: 'RevocationReleased', data: { releasedBy: 'sub-b' } }]);
    expect(todo(after)).toEqual([]);
    expect(new ProcessFold(revocation).add(after.events).state('acme').locks).toEqual([]);
  });

  it('a block is told to the tenant’s stream, and opens no revocation', () => {
    const story = registered().note(access, [taken('blocked')]);
    const step = (kind: string) => ({
      kind: 'tenant',
      stream: tenant,
      command: { kind, lock: 'l1' },
    });
    expect(todo(story)).toEqual([{ id: 'open:l1', step: step('RecordBlocked') }]);
    story.note(tenant, [{ type: 'TenantBlocked', data: { lock: 'l1' } }]);
    expect(todo(story)).toEqual([]);
    story.note(access, [released]);
    expect(todo(story)).toEqual([{ id: 'close:l1', step: step('RecordUnblocked') }]);
    story.note(tenant, [{ type: 'TenantUnblocked', data: { lock: 'l1' } }]);
    expect(todo(story)).toEqual([]);
  });

  it('one block is told after the other, however late the first one is', () => {
    const story = registered()
      .note(access, [taken('blocked')])
      .note(access, [released]);
    const again = taken('blocked', { epoch: 3 });
    story.note(access, [{ ...again, data: { ...again.data, lock: 'l2' } } as AccessEvent]);
    const items = () => todo(story).map(({ id }) => id);
    expect(items()).toEqual(['open:l1']);
    story.note(tenant, [{ type: 'TenantBlocked', data: { lock: 'l1' } }]);
    expect(items()).toEqual(['close:l1']);
    story.note(tenant, [{ type: 'TenantUnblocked', data: { lock: 'l1' } }]);
    expect(items()).toEqual(['open:l2']);
  });

  it('leases of no tenant concern nobody', () => {
    const story = new Story();
    story.note(calls, [{ type: 'LeasesGranted', data: { grants: [grant(story, 'edge:e1', 5)] } }]);
    expect(new ProcessFold(revocation).add(story.events).subjects).toEqual([]);
  });
});
