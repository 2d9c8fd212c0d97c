import * as fc from 'fast-check';
import { LIMITS } from '@kcm/kernel';
import { everyCell, given } from '@kcm/testing';
import type { KeyCommand } from './key.commands.js';
import { keyDecider } from './key.decide.js';
import type { KeyEvent } from './key.events.js';

const wrapped = (n: number) => ({
  wrappedBy: { id: 'l2-1', version: '1' },
  digest: `d${n}`,
  commitment: `c${n}`,
});
const create = {
  kind: 'CreateKey',
  level: 'L3',
  service: 'billing',
  parent: 'l2-1',
  ...wrapped(1),
} as const;
const born: readonly KeyEvent[] = [
  { type: 'KeyCreated', data: { level: 'L3', service: 'billing', parent: 'l2-1' } },
  { type: 'KeyVersionWrapped', data: { version: 1, ...wrapped(1) } },
];
const asked: KeyEvent = { type: 'KeyRotationRequested', data: { from: 1, operation: 'op1' } };
const complete = { kind: 'CompleteRotation', from: 1, operation: 'op1', ...wrapped(2) } as const;
const rotated: readonly KeyEvent[] = [
  { type: 'KeyVersionWrapped', data: { version: 2, ...wrapped(2) } },
  { type: 'KeyRotated', data: { from: 1, to: 2, operation: 'op1' } },
  { type: 'KeyVersionDeactivated', data: { version: 1 } },
];
const rewrap = {
  kind: 'RecordRewrap',
  version: 1,
  wrappedBy: { id: 'l2-1', version: '2' },
  digest: 'd9',
} as const;
const revoked: KeyEvent = { type: 'KeyRevoked', data: { revocation: 'r1' } };

const since = '2031-05-01T00:00:00.000Z';
const processing = 'refused';
const cause = 'command';
const code = 'key_in_use';
const exposure = {
  by: 'edge:e1',
  exposure: 'x1',
  versions: [{ version: 1, from: since, to: since, uses: null }],
};

describe('key: every state × command', () => {
  everyCell(keyDecider, {
    shows: { absent: 'absent', active: 'active', rotating: 'rotating', revoked: 'revoked' },
    histories: {
      absent: [],
      active: born,
      rotating: [...born, asked],
      rotated: [...born, asked, ...rotated],
      revoked: [...born, revoked],
    },
    commands: {
      CreateKey: create,
      RequestRotation: { kind: 'RequestRotation', operation: 'op1' },
      CompleteRotation: complete,
      RecordRewrap: rewrap,
      RefuseRotation: { kind: 'RefuseRotation', operation: 'op1', code: 'root_key_disabled' },
      RecordShredded: { kind: 'RecordShredded', revocation: 'r1' },
      ActivateVersion: { kind: 'ActivateVersion', version: 1, operation: 'op1' },
      DeactivateVersion: { kind: 'DeactivateVersion', version: 1 },
      CompromiseVersions: { kind: 'CompromiseVersions', versions: null, since, processing },
      ArchiveVersion: { kind: 'ArchiveVersion', version: 1 },
      RecoverVersion: { kind: 'RecoverVersion', version: 1 },
      RequestDestruction: { kind: 'RequestDestruction', version: 1, operation: 'd1', cause },
      CompleteDestruction: { kind: 'CompleteDestruction', version: 1, operation: 'd1' },
      RefuseDestruction: { kind: 'RefuseDestruction', version: 1, operation: 'd1', code, inUse: 3 },
      RecordErased: { kind: 'RecordErased', version: 1, blobs: 2 },
      ChangeRewrapping: { kind: 'ChangeRewrapping', paused: true, perSecondMax: 5 },
      RecordExposure: { kind: 'RecordExposure', ...exposure },
    },
    table: {
      absent: {
        CreateKey: ['KeyCreated', 'KeyVersionWrapped'],
        RequestRotation: 'not_found',
        CompleteRotation: 'not_found',
        RecordRewrap: 'not_found',
        RefuseRotation: 'not_found',
        RecordShredded: 'not_found',
        ActivateVersion: 'not_found',
        DeactivateVersion: 'not_found',
        CompromiseVersions: 'not_found',
        ArchiveVersion: 'not_found',
        RecoverVersion: 'not_found',
        RequestDestruction: 'not_found',
        CompleteDestruction: 'not_found',
        RefuseDestruction: 'not_found',
        RecordErased: 'not_found',
        ChangeRewrapping: 'not_found',
        RecordExposure: 'not_found',
      },
      active: {
        CreateKey: 'already_exists',
        RequestRotation: ['KeyRotationRequested'],
        CompleteRotation: 'wrong_state',
        RecordRewrap: ['KeyVersionRewrapped'],
        RefuseRotation: [],
        RecordShredded: ['KeyVersionDestroyed', 'KeyRevoked'],
        ActivateVersion: [],
        DeactivateVersion: ['KeyVersionDeactivated'],
        CompromiseVersions: ['KeyCompromised'],
        ArchiveVersion: 'wrong_state',
        RecoverVersion: 'wrong_state',
        RequestDestruction: 'wrong_state',
        CompleteDestruction: [],
        RefuseDestruction: [],
        RecordErased: [],
        ChangeRewrapping: 'wrong_state',
        RecordExposure: ['KeyExposureRecorded'],
      },
      rotating: {
        CreateKey: 'already_exists',
        RequestRotation: [],
        CompleteRotation: ['KeyVersionWrapped', 'KeyRotated', 'KeyVersionDeactivated'],
        RecordRewrap: ['KeyVersionRewrapped'],
        RefuseRotation: ['KeyRotationRefused'],
        RecordShredded: ['KeyRotationRefused', 'KeyVersionDestroyed', 'KeyRevoked'],
        ActivateVersion: [],
        DeactivateVersion: ['KeyVersionDeactivated'],
        CompromiseVersions: ['KeyCompromised'],
        ArchiveVersion: 'wrong_state',
        RecoverVersion: 'wrong_state',
        RequestDestruction: 'wrong_state',
        CompleteDestruction: [],
        RefuseDestruction: [],
        RecordErased: [],
        ChangeRewrapping: 'wrong_state',
        RecordExposure: ['KeyExposureRecorded'],
      },
      rotated: {
        CreateKey: 'already_exists',
        RequestRotation: ['KeyRotationRequested'],
        CompleteRotation: [],
        RecordRewrap: ['KeyVersionRewrapped'],
        RefuseRotation: [],
        RecordShredded: ['KeyVersionDestroyed', 'KeyVersionDestroyed', 'KeyRevoked'],
        ActivateVersion: 'wrong_state',
        DeactivateVersion: [],
        CompromiseVersions: ['KeyCompromised'],
        ArchiveVersion: ['KeyVersionArchived'],
        RecoverVersion: 'wrong_state',
        RequestDestruction: ['KeyDestructionRequested'],
        CompleteDestruction: [],
        RefuseDestruction: [],
        RecordErased: [],
        ChangeRewrapping: 'wrong_state',
        RecordExposure: ['KeyExposureRecorded'],
      },
      revoked: {
        CreateKey: 'wrong_state',
        RequestRotation: 'wrong_state',
        CompleteRotation: 'wrong_state',
        RecordRewrap: [],
        RefuseRotation: [],
        RecordShredded: [],
        ActivateVersion: 'key_destroyed',
        DeactivateVersion: 'key_destroyed',
        CompromiseVersions: ['KeyCompromised'],
        ArchiveVersion: 'key_destroyed',
        RecoverVersion: 'key_destroyed',
        RequestDestruction: [],
        CompleteDestruction: [],
        RefuseDestruction: [],
        RecordErased: ['KeyVersionErased'],
        ChangeRewrapping: 'wrong_state',
        RecordExposure: ['KeyExposureRecorded'],
      },
    },
  });
});

describe('key', () => {
  it('a key and its first version are one append', () =>
    given(keyDecider)
      .when(create)
      .then(...born));

  it('a rotation wraps the next version, moves new use to it and deactivates the old one', () =>
    given(keyDecider, [...born, asked])
      .when(complete)
      .then(...rotated));

  it.each([{ operation: 'op2' }, { from: 2 }])(
    'a rotation is completed as it was requested, not with %j',
    (wrong) =>
      given(keyDecider, [...born, asked])
        .when({ ...complete, ...wrong })
        .refused('wrong_state'),
  );

  it('a second rotation waits for the first', () =>
    given(keyDecider, [...born, asked])
      .when({ kind: 'RequestRotation', operation: 'op2' })
      .refused('wrong_state'));

  const l2: readonly KeyEvent[] = [
    { type: 'KeyCreated', data: { level: 'L2', service: null, parent: 'rk1' } },
    { type: 'KeyVersionWrapped', data: { version: 1, ...wrapped(1) } },
  ];

  it('an L2 rotates like an L3', () =>
    given(keyDecider, [...l2, asked])
      .when(complete)
      .then(...rotated));

  it('a version wrapped anew has another parent version and digest, and the key that it was', () => {
    const { state } = given(keyDecider, [...born, asked, ...rotated]);
    const decision = keyDecider.decide(rewrap, state);
    if (decision.kind === 'refused') throw new Error(decision.detail);
    const after = decision.events.reduce((now, event) => keyDecider.evolve(now, event), state);
    expect(after).toMatchObject({
      status: 'active',
      current: 2,
      versions: [
        { ...wrapped(1), wrappedBy: rewrap.wrappedBy, digest: 'd9', state: 'deactivated' },
        { ...wrapped(2), state: 'active' },
      ],
    });
  });

  it.each(['1', '2'])(
    'never back: what hangs from version 2 stays there, not version %s',
    (old) => {
      const anew: KeyEvent = {
        type: 'KeyVersionRewrapped',
        data: { version: 1, wrappedBy: { id: 'l2-1', version: '2' }, digest: 'd8' },
      };
      const { state } = given(keyDecider, [...born, anew]);
      const back = { ...rewrap, wrappedBy: { id: 'l2-1', version: old } };
      expect(keyDecider.decide(back, state)).toEqual({ kind: 'accepted', events: [] });
    },
  );

  it.each([
    ['another L2', born, { wrappedBy: { id: 'l2-9', version: '2' } }, 'wrong_state'],
    ['a version that is not there', born, { version: 2 }, 'not_found'],
    ['an L2 itself', l2, { wrappedBy: { id: 'rk1', version: '2' } }, 'wrong_state'],
  ] as const)('wraps nothing anew: %s', (_, history, wrong, code) =>
    given(keyDecider, history)
      .when({ ...rewrap, ...wrong })
      .refused(code),
  );

  it.each([
    { level: 'L3', service: null },
    { level: 'L2', service: 'billing' },
  ] as const)('%j do not fit', (wrong) =>
    given(keyDecider)
      .when({ ...create, ...wrong })
      .refused('invalid_request', 'service'),
  );

  it('a shred ends a destruction that is under way', () => {
    const data = { version: 1, operation: 'd1', cause } as const;
    const destroying: KeyEvent = { type: 'KeyDestructionRequested', data };
    const ended: readonly KeyEvent[] = [
      { type: 'KeyVersionDestroyed', data: { version: 2 } },
      { type: 'KeyVersionDestroyed', data: { version: 1, operation: 'd1' } },
      revoked,
    ];
    return given(keyDecider, [...born, asked, ...rotated, destroying])
      .when({ kind: 'RecordShredded', revocation: 'r1' })
      .then(...ended);
  });

  it('a shred ends every version, also of a key with more than one append can name', () => {
    const many = LIMITS.eventsPerAppendMax + 6;
    let state = given(keyDecider, born).state;
    const run = (command: KeyCommand) => {
      const decision = keyDecider.decide(command, state);
      if (decision.kind === 'refused') throw new Error(decision.detail);
      for (const event of decision.events) state = keyDecider.evolve(state, event);
      return decision.events;
    };
    for (let from = 1; from < many; from += 1) {
      run({ kind: 'RequestRotation', operation: `op${from}` });
      run({ kind: 'CompleteRotation', from, operation: `op${from}`, ...wrapped(from + 1) });
    }
    run({ kind: 'RequestRotation', operation: 'late' });
    const events = run({ kind: 'RecordShredded', revocation: 'r1' });
    expect(events).toHaveLength(LIMITS.eventsPerAppendMax);
    expect(state).toMatchObject({ status: 'revoked' });
    if (state.status === 'absent') throw new Error('no key');
    expect(state.versions).toHaveLength(many);
    expect(state.versions.every((version) => version.state === 'destroyed')).toBe(true);
  });

  it('a version whose destruction is under way takes over from none', () => {
    const prepared: readonly KeyEvent[] = [
      ...born,
      { type: 'KeyRotationRequested', data: { from: 1, operation: 'op1', prepare: true } },
      { type: 'KeyVersionWrapped', data: { version: 2, ...wrapped(2), preActive: true } },
      { type: 'KeyVersionPrepared', data: { version: 2, operation: 'op1' } },
      { type: 'KeyDestructionRequested', data: { version: 2, operation: 'd1', cause } },
    ];
    const going = given(keyDecider, prepared);
    going.when({ kind: 'ActivateVersion', version: 2, operation: 'op2' }).refused('wrong_state');
    going.when({ kind: 'RequestRotation', operation: 'op2' }).then({
      type: 'KeyRotationRequested',
      data: { from: 1, operation: 'op2' },
    });
  });

  it('a pace that is changed in part stays as it is in the rest', () =>
    given(keyDecider, [
      ...l2,
      { type: 'KeyRewrappingChanged', data: { paused: false, perSecondMax: 5 } },
    ])
      .when({ kind: 'ChangeRewrapping', paused: true })
      .then({ type: 'KeyRewrappingChanged', data: { paused: true, perSecondMax: 5 } }));

  it('no sequence gives a key two active versions, a gap, a version after its end or an earlier parent', () => {
    const operation = fc.constantFrom('o1', 'o2', 'o3');
    const lifecycle = fc
      .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 4 }), operation)
      .map(([which, version, op]): KeyCommand => {
        const of = { version, operation: op };
        const all: readonly KeyCommand[] = [
          { kind: 'RequestRotation', operation: op, prepare: true },
          { kind: 'ActivateVersion', ...of },
          { kind: 'DeactivateVersion', version },
          { kind: 'CompromiseVersions', versions: [version], since, processing },
          { kind: 'ArchiveVersion', version },
          { kind: 'RecoverVersion', version },
          { kind: 'RequestDestruction', ...of, cause },
          { kind: 'CompleteDestruction', ...of },
          { kind: 'RefuseDestruction', ...of, code },
          { kind: 'RecordErased', version, blobs: 1 },
        ];
        return all[which]!;
      });
    const command: fc.Arbitrary<KeyCommand> = fc.oneof(
      { weight: 1, arbitrary: fc.constant<KeyCommand>(create) },
      {
        weight: 4,
        arbitrary: operation.map((op): KeyCommand => ({ kind: 'RequestRotation', operation: op })),
      },
      {
        weight: 4,
        arbitrary: fc
          .tuple(operation, fc.integer({ min: 1, max: 4 }))
          .map(([op, from]): KeyCommand => ({ ...complete, operation: op, from })),
      },
      {
        weight: 2,
        arbitrary: operation.map((op): KeyCommand => ({
          kind: 'RefuseRotation',
          operation: op,
          code: 'internal',
        })),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }))
          .map(([version, under]): KeyCommand => {
            const wrappedBy = { id: 'l2-1', version: `${under}` };
            return { ...rewrap, version, wrappedBy };
          }),
      },
      {
        weight: 1,
        arbitrary: fc.constant<KeyCommand>({ kind: 'RecordShredded', revocation: 'r1' }),
      },
      { weight: 6, arbitrary: lifecycle },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        let state = keyDecider.initial;
        let parents: readonly number[] = [];
        for (const each of [create, ...commands]) {
          const decision = keyDecider.decide(each, state);
          if (decision.kind === 'refused') continue;
          for (const event of decision.events) state = keyDecider.evolve(state, event);
          if (state.status === 'absent') continue;
          expect(state.versions.map(({ version }) => version)).toEqual(
            state.versions.map((_, i) => i + 1),
          );
          const now = state.versions.map(({ wrappedBy }) => Number(wrappedBy.version));
          expect(parents.every((parent, at) => parent <= now[at]!)).toBe(true);
          parents = now;
          const active = state.versions.filter((version) => version.state === 'active');
          expect([[], [state.current]]).toContainEqual(active.map(({ version }) => version));
          expect(active.filter(({ destruction }) => destruction !== undefined)).toEqual([]);
          if (state.status === 'revoked') expect(active).toEqual([]);
        }
      }),
    );
  });
});
