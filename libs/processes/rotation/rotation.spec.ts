import {
  defaultPolicy,
  type KeyEvent,
  type LevelRotation,
  type LockKind,
  type RotationPolicy,
  type Scope,
  type TenantPolicy,
  type UsageEntry,
} from '@kcm/domain';
import { streamOf } from '@kcm/kernel';
import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import { rotation } from './index.js';

const { tenant, access, rootkeys, calls, l2, l3 } = acmeStreams;
const DAY = 86_400;
const never: LevelRotation = { maxAgeSeconds: null, maxUses: null, retireAfterSeconds: null };
const policyOf = (of: Partial<RotationPolicy>): TenantPolicy => ({
  ...defaultPolicy,
  rotation: { L2: never, L3: never, ...of },
});
const byAge = (days: number) => policyOf({ L3: { ...never, maxAgeSeconds: days * DAY } });
const byUses = (maxUses: number) => policyOf({ L3: { ...never, maxUses } });

const todo = (story: Story) => new ProcessFold(rotation).add(story.events).todo('acme');
const ids = (story: Story) => todo(story).map(({ id }) => id);
const dueAt = (story: Story) => todo(story)[0]?.dueAt ?? null;

const wrapped = (version: number, by: string, id = 'p'): KeyEvent => ({
  type: 'KeyVersionWrapped',
  data: { version, wrappedBy: { id, version: by }, digest: 'd', commitment: 'c' },
});
const rotated = (from: number): readonly KeyEvent[] => [
  { type: 'KeyRotated', data: { from, to: from + 1, operation: `o${from}` } },
  { type: 'KeyVersionDeactivated', data: { version: from } },
];
const asked = (from: number): KeyEvent => ({
  type: 'KeyRotationRequested',
  data: { from, operation: `o${from}`, cause: 'age' },
});
const refusedWith = (code: 'root_key_unreachable' | 'tenant_suspended'): KeyEvent => ({
  type: 'KeyRotationRefused',
  data: { operation: 'o1', code },
});
const locked = (scope: Scope, kind: LockKind = 'suspended') =>
  ({
    type: 'LockTaken',
    data: { lock: 's1', kind, scope, owner: 'tenant', cause: 'x', epoch: 1 },
  }) as const;

/** An L2 under version 1 of its root key, and an L3 under that. */
function family(policy: TenantPolicy): Story {
  return new Story()
    .run<'tenant'>(tenant, { kind: 'RegisterTenant', homeRegion: 'local', policy })
    .note(l2, [
      { type: 'KeyCreated', data: { level: 'L2', service: null, parent: 'rk1' } },
      wrapped(1, '1', 'rk1'),
    ])
    .note(l3, [
      { type: 'KeyCreated', data: { level: 'L3', service: 'billing', parent: 'l2-1' } },
      wrapped(1, '1', 'l2-1'),
    ]);
}
const used = (story: Story, ok: number, entry: Partial<UsageEntry> = {}) =>
  story.note(calls, [
    {
      type: 'UsageReported',
      data: {
        holder: 'edge:e1',
        boot: 'b',
        seq: 1,
        from: story.now,
        to: story.now,
        entries: [
          {
            tenant: 'acme',
            key: 'l3-1',
            version: 1,
            operation: 'encrypt',
            ok,
            refused: {},
            bytes: 1,
            ...entry,
          },
        ],
        statement: 'a.b.c',
      },
    },
  ]);
const change = (story: Story, policy: TenantPolicy) =>
  story.run<'tenant'>(tenant, { kind: 'ChangePolicy', policy });
const observe = (story: Story, keyVersion: string) =>
  story.note(rootkeys, [
    { type: 'RootKeyVersionObserved', data: { rootKeyId: 'rk1', keyVersion } },
  ]);

describe('process rotation', () => {
  processContract(rotation);

  it('asks nothing of keys whose policy says never', () =>
    expect(ids(used(family(policyOf({})), 10 ** 9))).toEqual([]));

  it('a tenant of before has the policy of today', () => {
    const story = family(defaultPolicy);
    const [registered] = story.events;
    delete (registered!.data as { policy: { rotation?: unknown } }).policy.rotation;
    expect(ids(story)).toEqual(['age:l2-1/1:0', 'age:l3-1/1:0']);
  });

  it('asks before the age is reached, by the version that is in use', () => {
    const story = family(byAge(90));
    const made = Date.parse(story.events.at(-1)!.meta.occurredAt);
    expect(todo(story)).toMatchObject([
      { id: 'age:l3-1/1:0', step: { command: { kind: 'RequestRotation', cause: 'age' } } },
    ]);
    const first = Date.parse(dueAt(story)!);
    expect(first).toBeLessThanOrEqual(made + 90 * DAY * 1000 - 60_000);
    expect(first).toBeGreaterThanOrEqual(made + 83 * DAY * 1000 - 60_000);
    story.wait(84 * DAY).note(l3, [asked(1)]);
    expect(ids(story)).toEqual([]);
    story.note(l3, [wrapped(2, '1', 'l2-1'), ...rotated(1)]);
    expect(ids(story)).toEqual(['age:l3-1/2:0']);
    expect(Date.parse(dueAt(story)!)).toBeGreaterThan(Date.parse(story.now) + 80 * DAY * 1000);
  });

  it('a version that was made ready counts from when it takes over', () => {
    const story = family(byAge(90)).note(l3, [
      { type: 'KeyRotationRequested', data: { from: 1, operation: 'o1', prepare: true } },
    ]);
    expect(ids(story)).toEqual([]);
    story.note(l3, [
      wrapped(2, '1', 'l2-1'),
      { type: 'KeyVersionPrepared', data: { version: 2, operation: 'o1' } },
    ]);
    expect(ids(story)).toEqual(['age:l3-1/1:0']);
    story.wait(50 * DAY).note(l3, [...rotated(1)]);
    expect(Date.parse(dueAt(story)!)).toBeGreaterThan(Date.parse(story.now) + 80 * DAY * 1000);
  });

  it('plans anew when the policy is changed, late where the new age has passed already', () => {
    const story = change(family(byAge(90)).wait(30 * DAY), byAge(10));
    expect(dueAt(story)! < story.now).toBe(true);
    expect(dueAt(change(story, byAge(365)))! > story.now).toBe(true);
    expect(ids(change(story, policyOf({})))).toEqual([]);
  });

  it('counts what an L3 protects, and asks before the policy’s number', () => {
    const story = used(family(byUses(1_000)), 849);
    for (const operation of ['decrypt', 'dataKeyUnwrap', 'rewrapFrom'] as const)
      used(story, 10_000, { operation });
    used(story, 10_000, { tenant: 'bank' });
    used(story, 10_000, { version: 2 });
    used(story, 10_000, { key: 'l3-2' });
    expect(ids(story)).toEqual([]);
    used(story, 51, { operation: 'dataKey' });
    expect(ids(used(story, 51, { operation: 'rewrapTo' }))).toEqual(['uses:l3-1/1:0']);
    const at = dueAt(story);
    expect(dueAt(used(story, 50))).toBe(at);
    story.note(l3, [asked(1), wrapped(2, '1', 'l2-1'), ...rotated(1)]);
    expect(ids(used(story, 500))).toEqual([]);
    expect(ids(used(story, 951, { version: 2 }))).toEqual(['uses:l3-1/2:0']);
  });

  it('a smaller number asks at once, a larger one no more', () => {
    const story = used(family(byUses(10_000)), 2_000);
    expect(ids(change(story, byUses(1_000)))).toEqual(['uses:l3-1/1:0']);
    expect(ids(change(story, byUses(10_000)))).toEqual([]);
  });

  it('a report of many tenants counts for each of them', () => {
    const story = family(byUses(1_000));
    const entry = { key: 'l3-1', version: 1, operation: 'encrypt', ok: 1_000 } as const;
    const shared = used(new Story(), 1, { tenant: 'bank' }).events.at(-1)!;
    if (shared.type !== 'UsageReported') throw new Error('no report');
    const [other] = shared.data.entries;
    const both = {
      ...shared,
      data: { ...shared.data, entries: [other!, { ...other!, ...entry, tenant: 'acme' }] },
    };
    expect(rotation.subjects(both)).toEqual(['bank', 'acme']);
    const made = { ...other!, tenant: 'made-up', ok: 0, refused: { not_found: 9 } };
    const refused = { ...shared, data: { ...shared.data, entries: [made] } };
    expect(rotation.subjects(refused)).toEqual([]);
    const fold = new ProcessFold(rotation).add([...story.events, both]);
    expect(fold.todo('acme').map(({ id }) => id)).toEqual(['uses:l3-1/1:0']);
  });

  it('counts the versions that are made under an L2, not those that move to it', () => {
    const story = family(policyOf({ L2: { ...never, maxUses: 1_000 } }));
    const other = streamOf('key', 'acme', 'l3-2');
    story.note(other, [
      { type: 'KeyCreated', data: { level: 'L3', service: 'mail', parent: 'l2-1' } },
    ]);
    for (let version = 1; version < 849; version += 1)
      story.note(other, [wrapped(version, '1', 'l2-1')]);
    for (let version = 1; version < 849; version += 1)
      story.note(other, [
        {
          type: 'KeyVersionRewrapped',
          data: { version, wrappedBy: { id: 'l2-1', version: '1' }, digest: 'd' },
        },
      ]);
    expect(ids(story)).toEqual([]);
    for (let version = 849; version < 951; version += 1)
      story.note(other, [wrapped(version, '1', 'l2-1')]);
    expect(ids(story)).toEqual(['uses:l2-1/1:0']);
  });

  it('a newer version of the root key asks for a new L2, once', () => {
    const story = observe(family(policyOf({})), '2');
    expect(todo(story)).toMatchObject([
      { id: 'root-key:l2-1/1:0', step: { command: { cause: 'root-key' } } },
    ]);
    const under2 = [asked(1), wrapped(2, '2', 'rk1'), ...rotated(1)];
    expect(ids(story.note(l2, under2))).toEqual([]);
    expect(ids(observe(story, '2'))).toEqual([]);
    expect(ids(observe(story, '3'))).toEqual(['root-key:l2-1/2:0']);
  });

  it('a rotation that was begun under the old version does not answer for the newer one', () => {
    const story = family(policyOf({})).note(l2, [asked(1)]);
    observe(story, '2');
    story.note(l2, [wrapped(2, '1', 'rk1'), ...rotated(1)]);
    expect(ids(story)).toEqual(['root-key:l2-1/2:0']);
  });

  it('a wrap under a version that nobody saw before is not older than what was seen', () => {
    const story = observe(family(policyOf({})), '2');
    story.note(l2, [asked(1), wrapped(2, '3', 'rk1'), ...rotated(1)]);
    expect(ids(story)).toEqual([]);
    expect(ids(observe(story, '3'))).toEqual([]);
  });

  it.each<[Scope, string[]]>([
    [{ all: true }, []],
    [{ service: 'billing' }, ['age:l2-1/1:0']],
    [{ service: 'other' }, ['age:l2-1/1:0', 'age:l3-1/1:0']],
  ])('a lock holds what comes due, which is late when it is lifted: %j', (scope, left) => {
    const story = family(defaultPolicy).note(access, [locked(scope)]);
    story.wait(400 * DAY);
    expect(ids(story)).toEqual(left);
    story.note(access, [
      { type: 'LockReleased', data: { lock: 's1', kind: 'suspended', epoch: 2 } },
    ]);
    expect(ids(story)).toEqual(['age:l2-1/1:0', 'age:l3-1/1:0']);
    expect(todo(story).every((each) => each.dueAt! < story.now)).toBe(true);
  });

  it('asks for nothing while read-only, though what there is decrypts', () => {
    const story = family(defaultPolicy).note(access, [locked({ all: true }, 'readOnly')]);
    expect(ids(story.wait(400 * DAY))).toEqual([]);
    story.note(access, [
      { type: 'LockReleased', data: { lock: 's1', kind: 'readOnly', epoch: 2 } },
    ]);
    expect(ids(story)).toEqual(['age:l2-1/1:0', 'age:l3-1/1:0']);
  });

  it('leaves alone what somebody took out of use, until a version takes over', () => {
    const story = family(byAge(90));
    story.note(l3, [{ type: 'KeyVersionDeactivated', data: { version: 1 } }]);
    expect(ids(story)).toEqual([]);
    story.note(l3, [wrapped(2, '1', 'l2-1'), ...rotated(1)]);
    expect(ids(story)).toEqual(['age:l3-1/2:0']);
    const data = { versions: [2], since: story.now, processing: 'refused' } as const;
    expect(ids(story.note(l3, [{ type: 'KeyCompromised', data }]))).toEqual([]);
    story.note(l3, [{ type: 'KeyRevoked', data: { revocation: 'r' } }]);
    expect(ids(story)).toEqual([]);
  });

  it('asks again ever less often after a refusal, and at once when the keystore is back', () => {
    const story = family(byAge(90)).wait(91 * DAY);
    const waits: number[] = [];
    for (let at = 0; at < 12; at += 1) {
      story.note(l3, [asked(1), refusedWith('root_key_unreachable')]);
      expect(ids(story)).toEqual([`age:l3-1/1:${at + 1}`]);
      const refusedAt = story.events.at(-1)!.meta.occurredAt;
      waits.push((Date.parse(dueAt(story)!) - Date.parse(refusedAt)) / 1000);
    }
    expect(waits[0]).toBeGreaterThanOrEqual(30);
    expect(waits[0]).toBeLessThanOrEqual(60);
    const ratios = waits.slice(1, 9).map((wait, at) => Math.round(wait / waits[at]!));
    expect(ratios).toEqual(Array.from({ length: 8 }, () => 2));
    expect(waits.at(-1)).toBeLessThanOrEqual(6 * 3_600);
    story.note(rootkeys, [
      {
        type: 'RootKeyRestored',
        data: { rootKeyId: 'rk1', callId: 'c', providerRequestId: null },
      },
    ]);
    expect(dueAt(story)! < story.now).toBe(true);
    expect(ids(story)).toEqual(['age:l3-1/1:12']);
  });

  it('each time that it asks is an operation of its own', () => {
    const operation = (story: Story) => {
      const [item] = todo(story);
      if (item?.step.kind !== 'key' || item.step.command.kind !== 'RequestRotation') return null;
      return item.step.command.operation;
    };
    const story = family(byAge(90));
    const first = operation(story);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    const again = operation(story.note(l3, [asked(1), refusedWith('tenant_suspended')]));
    const next = operation(story.note(l3, [asked(1), wrapped(2, '1', 'l2-1'), ...rotated(1)]));
    expect(new Set([first, again, next]).size).toBe(3);
  });
});
