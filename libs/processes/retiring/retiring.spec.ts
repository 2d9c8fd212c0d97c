import { defaultPolicy, type KeyEvent, type Recorded, type RotationPolicy } from '@kcm/domain';
import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import { retiring } from './index.js';

const { access, calls, l2, l3, tenant } = acmeStreams;
const todo = (story: Story) => new ProcessFold(retiring).add(story.events).todo('acme');
const ids = (story: Story) => todo(story).map(({ id }) => id);

const created = (level: 'L2' | 'L3', service: string | null): KeyEvent => ({
  type: 'KeyCreated',
  data: { level, service, parent: 'p' },
});
const wrapped = (version: number, under: number): KeyEvent => ({
  type: 'KeyVersionWrapped',
  data: { version, wrappedBy: { id: 'p', version: `${under}` }, digest: 'd', commitment: 'c' },
});
const rotated = (from: number): readonly KeyEvent[] => [
  { type: 'KeyRotated', data: { from, to: from + 1, operation: `o${from}` } },
  { type: 'KeyVersionDeactivated', data: { version: from } },
];
const DAY = 86_400;
const never = { maxAgeSeconds: null, maxUses: null, retireAfterSeconds: null };
const policy = (rotation: Partial<RotationPolicy>) =>
  ({
    type: 'TenantRegistered',
    data: {
      homeRegion: 'local',
      policy: { ...defaultPolicy, rotation: { L2: never, L3: never, ...rotation } },
    },
  }) as const;
const usage = (version: number, operation: string, ok: number, fresh = 0) =>
  ({
    type: 'UsageReported',
    data: {
      entries: [
        { tenant: 'acme', key: 'l3-1', version, operation, ok, fresh, refused: {}, bytes: 0 },
      ],
    },
  }) as unknown as Extract<Recorded, { type: 'UsageReported' }>;
/** One L2 version, and an L3 whose first version was rotated away. */
const family = (
  rotation: Partial<RotationPolicy> = { L3: { ...never, retireAfterSeconds: DAY } },
) =>
  new Story()
    .note(tenant, [policy(rotation)])
    .note(l2, [created('L2', null), wrapped(1, 1)])
    .note(l3, [created('L3', 'billing'), wrapped(1, 1)])
    .note(calls, [usage(1, 'encrypt', 3)])
    .note(l3, [wrapped(2, 1), ...rotated(1)]);
const drained = (story = family()) => story.note(calls, [usage(1, 'rewrapFrom', 3, 3)]);

describe('process retiring', () => {
  processContract(retiring);

  it('asks for nothing while anything hangs from a version', () => {
    expect(ids(family())).toEqual([]);
    expect(ids(family().note(calls, [usage(1, 'rewrapFrom', 2, 2)]))).toEqual([]);
  });

  it('asks for the end of what is drained, at the age that the policy says', () => {
    const story = drained();
    const at = story.events.find(({ type }) => type === 'KeyVersionDeactivated')!.meta.occurredAt;
    expect(todo(story)).toEqual([
      {
        id: 'retire:l3-1/1:0',
        dueAt: new Date(Date.parse(at) + DAY * 1000).toISOString(),
        step: {
          kind: 'key',
          stream: l3,
          command: {
            kind: 'RequestDestruction',
            version: 1,
            operation: expect.any(String),
            cause: 'retired',
          },
        },
      },
    ]);
  });

  it('asks for nothing by itself under a policy that says never, nor while a lock stands', () => {
    expect(ids(drained(family({})))).toEqual([]);
    const lock = {
      type: 'LockTaken',
      data: {
        lock: 'x',
        kind: 'suspended',
        scope: { all: true },
        owner: 'tenant',
        cause: 'incident',
        epoch: 1,
      },
    } as const;
    expect(ids(drained().note(access, [lock]))).toEqual([]);
  });

  it('what was refused is asked for again, a day later and as another operation, then ever less often', () => {
    const ask = {
      type: 'KeyDestructionRequested',
      data: { version: 1, operation: 'r0', cause: 'retired' },
    } as const;
    const no = {
      type: 'KeyDestructionRefused',
      data: { version: 1, operation: 'r0', code: 'key_in_use', inUse: 0, unreported: 1 },
    } as const;
    const [before] = todo(drained());
    const story = drained().note(l3, [ask]);
    expect(ids(story)).toEqual(['destroy:r0']);
    const [again] = todo(story.note(l3, [no]));
    expect(again!.id).toBe('retire:l3-1/1:1');
    expect(again!.step).not.toEqual(before!.step);
    const refusedAt = Date.parse(story.events.at(-1)!.meta.occurredAt);
    expect(Date.parse(again!.dueAt!)).toBe(refusedAt + DAY * 1000);
    const waits = Array.from({ length: 8 }, () => {
      const [next] = todo(story.note(l3, [ask, no]));
      const last = Date.parse(story.events.at(-1)!.meta.occurredAt);
      return (Date.parse(next!.dueAt!) - last) / (DAY * 1000);
    });
    expect(waits).toEqual([2, 4, 8, 16, 32, 32, 32, 32]);
  });

  it('an asked destruction is answered, then erased, then forgotten', () => {
    const story = family().note(l3, [
      {
        type: 'KeyDestructionRequested',
        data: { version: 1, operation: 'd1', cause: 'command', acceptUnreported: true },
      },
    ]);
    const of = { tenant: 'acme', key: 'l3-1', version: 1 };
    const step = { kind: 'destroyVersion', ...of, operation: 'd1', acceptUnreported: true };
    expect(todo(story)).toEqual([{ id: 'destroy:d1', step }]);
    story.note(l3, [{ type: 'KeyVersionDestroyed', data: { version: 1, operation: 'd1' } }]);
    expect(todo(story)).toEqual([{ id: 'erase:l3-1/1', step: { kind: 'eraseVersion', ...of } }]);
    story.note(l3, [{ type: 'KeyVersionErased', data: { version: 1, blobs: 1 } }]);
    expect(todo(story)).toEqual([]);
  });

  it('an L2 version goes when no L3 hangs from it, and what a shred ends is not its to erase', () => {
    const both = { L2: { ...never, retireAfterSeconds: DAY } };
    const story = family(both).note(l2, [wrapped(2, 1), ...rotated(1)]);
    expect(ids(story)).toEqual([]);
    const anew = (version: number): KeyEvent => ({
      type: 'KeyVersionRewrapped',
      data: { version, wrappedBy: { id: 'l2-1', version: '2' }, digest: 'd' },
    });
    story.note(l3, [anew(1)]);
    expect(ids(story)).toEqual([]);
    story.note(l3, [anew(2)]);
    expect(ids(story)).toEqual(['retire:l2-1/1:0']);
    const shredded: KeyEvent = { type: 'KeyVersionDestroyed', data: { version: 1 } };
    story.note(l2, [shredded, { type: 'KeyRevoked', data: { revocation: 'r' } }]);
    expect(ids(story)).toEqual([]);
  });
});
