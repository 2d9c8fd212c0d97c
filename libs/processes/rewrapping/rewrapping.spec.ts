import type { KeyEvent, Scope } from '@kcm/domain';
import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import { rewrapping } from './index.js';

const { access, l2, l3 } = acmeStreams;
const ids = (story: Story) =>
  new ProcessFold(rewrapping)
    .add(story.events)
    .todo('acme')
    .map(({ id }) => id);

const created = (level: 'L2' | 'L3', service: string | null): KeyEvent => ({
  type: 'KeyCreated',
  data: { level, service, parent: 'p' },
});
const wrapped = (version: number, under: number): KeyEvent => ({
  type: 'KeyVersionWrapped',
  data: { version, wrappedBy: { id: 'p', version: `${under}` }, digest: 'd', commitment: 'c' },
});
const rewrapped = (version: number, under: number): KeyEvent => ({
  type: 'KeyVersionRewrapped',
  data: { version, wrappedBy: { id: 'p', version: `${under}` }, digest: 'd' },
});
const rotated = (from: number): KeyEvent => ({
  type: 'KeyRotated',
  data: { from, to: from + 1, operation: `o${from}` },
});
/** An L2, and an L3 with two versions under it. */
const family = () =>
  new Story()
    .note(l2, [created('L2', null), wrapped(1, 1)])
    .note(l3, [created('L3', 'billing'), wrapped(1, 1)])
    .note(l3, [wrapped(2, 1), rotated(1), { type: 'KeyVersionDeactivated', data: { version: 1 } }]);
/** The next version of the L2; its own wrapping names a version of the root key. */
const rotate = (story: Story, from = 1) => story.note(l2, [wrapped(from + 1, 1), rotated(from)]);

describe('process rewrapping', () => {
  processContract(rewrapping);

  it('has nothing to do while every version hangs from the current L2', () =>
    expect(ids(family())).toEqual([]));

  it('lists each version of each L3 after a rotation of the L2, until an event takes it off', () => {
    const story = rotate(family());
    expect(new ProcessFold(rewrapping).add(story.events).todo('acme')).toEqual([
      {
        id: 'rewrap:l3-1/1:2',
        step: { kind: 'rewrapL3', tenant: 'acme', key: 'l3-1', version: 1 },
      },
      {
        id: 'rewrap:l3-1/2:2',
        step: { kind: 'rewrapL3', tenant: 'acme', key: 'l3-1', version: 2 },
      },
    ]);
    expect(ids(story.note(l3, [rewrapped(2, 2)]))).toEqual(['rewrap:l3-1/1:2']);
    expect(ids(story.note(l3, [wrapped(3, 2), rotated(2)]))).toEqual(['rewrap:l3-1/1:2']);
    expect(ids(story.note(l3, [rewrapped(1, 2)]))).toEqual([]);
  });

  it('a second rotation in the middle lists what was wrapped anew once more', () => {
    const story = rotate(rotate(family()).note(l3, [rewrapped(1, 2)]), 2);
    expect(ids(story)).toEqual(['rewrap:l3-1/2:3', 'rewrap:l3-1/1:3']);
    // What was under way to version 2 is not enough.
    expect(ids(story.note(l3, [rewrapped(2, 2)]))).toEqual(['rewrap:l3-1/1:3', 'rewrap:l3-1/2:3']);
  });

  it.each<[Scope, number]>([
    [{ all: true }, 0],
    [{ service: 'billing' }, 0],
    [{ service: 'other' }, 2],
  ])('asks nothing of keys in the scope of a lock: %j', (scope, left) => {
    const story = rotate(family()).note(access, [
      {
        type: 'LockTaken',
        data: { lock: 's1', kind: 'suspended', scope, owner: 'tenant', cause: 'x', epoch: 1 },
      },
    ]);
    expect(ids(story)).toHaveLength(left);
    story.note(access, [
      { type: 'LockReleased', data: { lock: 's1', kind: 'suspended', epoch: 2 } },
    ]);
    expect(ids(story)).toHaveLength(2);
  });

  it('goes on while read-only: no key is made', () => {
    const data = {
      lock: 's1',
      scope: { all: true },
      owner: 'tenant',
      cause: 'x',
      epoch: 1,
    } as const;
    const story = rotate(family()).note(access, [
      { type: 'LockTaken', data: { ...data, kind: 'readOnly' } },
    ]);
    expect(ids(story)).toHaveLength(2);
    story.note(access, [
      { type: 'LockTaken', data: { ...data, lock: 's2', kind: 'suspended', epoch: 2 } },
    ]);
    expect(ids(story)).toEqual([]);
  });

  it('wraps nothing anew that is destroyed', () => {
    const story = rotate(family());
    story.note(l3, [{ type: 'KeyVersionDestroyed', data: { version: 1 } }]);
    expect(ids(story)).toEqual(['rewrap:l3-1/2:2']);
    expect(ids(story.note(l3, [{ type: 'KeyRevoked', data: { revocation: 'r1' } }]))).toEqual([]);
  });

  const pace = (paused: boolean, perSecondMax: number | null): KeyEvent => ({
    type: 'KeyRewrappingChanged',
    data: { paused, perSecondMax },
  });

  it('does nothing while it is paused, and goes on where it was', () => {
    const story = rotate(family());
    expect(ids(story.note(l2, [pace(true, null)]))).toEqual([]);
    expect(ids(story.note(l2, [pace(false, null)]))).toEqual([
      'rewrap:l3-1/1:2',
      'rewrap:l3-1/2:2',
    ]);
  });

  it('keeps the pace that somebody set, counted from the last one that was done', () => {
    const story = rotate(family()).note(l2, [pace(false, 0.5)]);
    const due = () =>
      new ProcessFold(rewrapping)
        .add(story.events)
        .todo('acme')
        .map(({ id, dueAt }) => {
          const last = Date.parse(story.events.at(-1)!.meta.occurredAt);
          return [id, Date.parse(dueAt!) - last];
        });
    expect(due()).toEqual([['rewrap:l3-1/1:2', 2000]]);
    story.note(l3, [rewrapped(1, 2)]);
    expect(due()).toEqual([['rewrap:l3-1/2:2', 2000]]);
    story.note(l2, [pace(false, 10)]);
    expect(due()).toEqual([['rewrap:l3-1/2:2', 100]]);
  });
});
