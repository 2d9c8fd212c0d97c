import type { KeyEvent } from '@kcm/domain';
import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import { compromise } from './index.js';

const { access, l2, l3, rootkeys } = acmeStreams;
const todo = (story: Story) => new ProcessFold(compromise).add(story.events).todo('acme');
const ids = (story: Story) => todo(story).map(({ id }) => id);
const rotations = (story: Story) => ids(story).filter((id) => id.startsWith('rotate:'));

const wrapped = (version: number, by: string, id = 'l2-1'): KeyEvent => ({
  type: 'KeyVersionWrapped',
  data: { version, wrappedBy: { id, version: by }, digest: 'd', commitment: 'c' },
});
const rotated = (from: number): readonly KeyEvent[] => [
  { type: 'KeyRotated', data: { from, to: from + 1, operation: `o${from}` } },
  { type: 'KeyVersionDeactivated', data: { version: from } },
];
const since = '2030-01-01T00:00:00.000Z';
const compromised = (versions: readonly number[], more: object = {}): KeyEvent => ({
  type: 'KeyCompromised',
  data: { versions, since, processing: 'refused', ...more },
});
const lock = { lock: 's1', kind: 'suspended', epoch: 1 } as const;
const refused: KeyEvent = {
  type: 'KeyRotationRefused',
  data: { operation: 'o', code: 'root_key_disabled' },
};

/** An L2 and an L3 under its first version. */
const family = (): Story =>
  new Story()
    .note(l2, [
      { type: 'KeyCreated', data: { level: 'L2', service: null, parent: 'rk1' } },
      wrapped(1, '1', 'rk1'),
    ])
    .note(l3, [
      { type: 'KeyCreated', data: { level: 'L3', service: 'billing', parent: 'l2-1' } },
      wrapped(1, '1'),
    ]);

describe('process compromise', () => {
  processContract(compromise);

  it('asks at once for the rotation of what new use takes, and of nothing else', () => {
    const story = family().note(l3, [compromised([1])]);
    expect(todo(story)[0]).toMatchObject({
      id: 'rotate:l3-1/1:0',
      step: { stream: l3, command: { kind: 'RequestRotation', cause: 'compromise' } },
    });
    expect(todo(story)[0]).not.toHaveProperty('dueAt');
    story.note(l3, [{ type: 'KeyRotationRequested', data: { from: 1, operation: 'o1' } }]);
    expect(rotations(story)).toEqual([]);
    story.note(l3, [wrapped(2, '1'), ...rotated(1), compromised([1], { processing: 'allowed' })]);
    expect(rotations(story)).toEqual([]);
  });

  it('waits for a rotation that is under way, which may be of what is known', () => {
    const story = family()
      .note(l3, [{ type: 'KeyRotationRequested', data: { from: 1, operation: 'o1' } }])
      .note(l2, [compromised([1])]);
    expect(rotations(story)).toEqual(['rotate:l2-1/1:0']);
    story.note(l3, [wrapped(2, '1'), ...rotated(1)]);
    story.note(l2, [wrapped(2, '1', 'rk1'), ...rotated(1)]);
    expect(rotations(story)).toEqual(['rotate:l3-1/2:0']);
  });

  it('of the L2: that first, then every L3 that ever hung from the version', () => {
    const story = family().note(l2, [compromised([1])]);
    expect(rotations(story)).toEqual(['rotate:l2-1/1:0']);
    story.note(l2, [wrapped(2, '1', 'rk1'), ...rotated(1)]);
    expect(rotations(story)).toEqual(['rotate:l3-1/1:0']);
    // Wrapped anew it is the same key: a copy of the blob of before opens it.
    story.note(l3, [
      {
        type: 'KeyVersionRewrapped',
        data: { version: 1, wrappedBy: { id: 'l2-1', version: '2' }, digest: 'e' },
      },
    ]);
    expect(rotations(story)).toEqual(['rotate:l3-1/1:0']);
    story.note(l3, [wrapped(2, '2'), ...rotated(1)]);
    expect(rotations(story)).toEqual([]);
  });

  it('asks again what was refused, ever later, and at once when the keystore is back', () => {
    const story = family().note(l3, [compromised([1]), refused]);
    const [first] = todo(story);
    expect(first).toMatchObject({ id: 'rotate:l3-1/1:1' });
    expect(first!.dueAt! > story.now).toBe(true);
    story.note(rootkeys, [
      {
        type: 'RootKeyRestored',
        data: { rootKeyId: 'rk1', callId: 'c', providerRequestId: null },
      },
    ]);
    expect(todo(story)[0]).not.toHaveProperty('dueAt');
  });

  it('asks nothing while a lock stands, nor of a key that somebody took out of use', () => {
    const story = family().note(l3, [compromised([1])]);
    story.note(access, [
      { type: 'LockTaken', data: { ...lock, scope: { all: true }, owner: 'tenant', cause: 'x' } },
    ]);
    expect(rotations(story)).toEqual([]);
    story.note(access, [{ type: 'LockReleased', data: lock }]);
    expect(rotations(story)).toEqual(['rotate:l3-1/1:0']);
    const aside = family().note(l3, [
      { type: 'KeyVersionDeactivated', data: { version: 1 } },
      compromised([1]),
    ]);
    expect(rotations(aside)).toEqual([]);
  });

  it('what may have been exposed stands until each version is told of; an Edge’s is told with it', () => {
    const story = family().note(l3, [wrapped(2, '1'), ...rotated(1), compromised([1, 2])]);
    const exposure = story.events.at(-1)!.id;
    const open = () => todo(story).find(({ id }) => id.startsWith('expose:'));
    expect(open()).toMatchObject({
      step: { kind: 'recordExposures', key: 'l3-1', versions: [1, 2], since, exposure },
    });
    const told = (version: number): KeyEvent => ({
      type: 'KeyExposureRecorded',
      data: {
        by: 'key:l3-1',
        exposure,
        versions: [{ version, from: since, to: since, uses: null }],
      },
    });
    story.note(l3, [told(1)]);
    expect(open()).toMatchObject({ step: { versions: [2] } });
    story.note(l3, [told(2), compromised([1], { processing: 'allowed' })]);
    expect(open()).toBeUndefined();
    story.note(l3, [compromised([2], { by: 'edge:e1', since: '2029-01-01T00:00:00.000Z' })]);
    expect(open()).toBeUndefined();
  });

  it('a shred ends it', () => {
    const story = family().note(l3, [
      compromised([1]),
      { type: 'KeyRevoked', data: { revocation: 'r' } },
    ]);
    expect(rotations(story)).toEqual([]);
  });
});
