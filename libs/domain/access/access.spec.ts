import * as fc from 'fast-check';
import { everyCell, given } from '@kcm/testing';
import type { AccessCommand } from './access.commands.js';
import { accessDecider } from './access.decide.js';
import type { AccessEvent, LockKind } from './access.events.js';
import { LOCK_OWNERS, locksOf } from './access.policies.js';

const taken = (
  lock: string,
  kind: LockKind,
  epoch: number,
  more: { scope?: { service: string }; lockedBy?: string } = {},
): AccessEvent => ({
  type: 'LockTaken',
  data: {
    lock,
    kind,
    scope: { all: true },
    owner: LOCK_OWNERS[kind],
    cause: 'reason',
    epoch,
    ...more,
  },
});
const take = (lock: string, lockKind: LockKind, more: object = {}): AccessCommand => ({
  kind: 'TakeLock',
  lock,
  lockKind,
  scope: { all: true },
  owner: LOCK_OWNERS[lockKind],
  cause: 'reason',
  ...more,
});
const released = (lock: string, kind: LockKind, epoch: number): AccessEvent => ({
  type: 'LockReleased',
  data: { lock, kind, epoch },
});

describe('access: every state × command', () => {
  everyCell(accessDecider, {
    shows: { open: 'open', locked: 'locked', killed: 'killed' },
    histories: {
      open: [],
      locked: [taken('s1', 'suspended', 1)],
      readOnly: [taken('s1', 'readOnly', 1)],
      killed: [taken('s1', 'suspended', 1), taken('k1', 'killed', 2)],
    },
    commands: {
      TakeLock: take('s2', 'suspended', { scope: { service: 'billing' } }) as Extract<
        AccessCommand,
        { kind: 'TakeLock' }
      >,
      ReleaseLock: { kind: 'ReleaseLock', lock: 's1', owner: 'tenant' },
      Unblock: { kind: 'Unblock' },
      RaiseTerm: { kind: 'RaiseTerm', ledger: 'l2' },
    },
    table: {
      open: {
        TakeLock: ['LockTaken'],
        ReleaseLock: 'not_found',
        Unblock: 'wrong_state',
        RaiseTerm: ['TermRaised'],
      },
      locked: {
        TakeLock: ['LockTaken'],
        ReleaseLock: ['LockReleased'],
        Unblock: 'wrong_state',
        RaiseTerm: ['TermRaised'],
      },
      readOnly: {
        TakeLock: ['LockTaken'],
        ReleaseLock: ['LockReleased'],
        Unblock: 'wrong_state',
        RaiseTerm: ['TermRaised'],
      },
      killed: {
        TakeLock: 'tenant_killed',
        ReleaseLock: 'tenant_killed',
        Unblock: 'tenant_killed',
        RaiseTerm: ['TermRaised'],
      },
    },
  });
});

describe('access: every state × kind of lock', () => {
  const histories = {
    open: [],
    suspended: [taken('l0', 'suspended', 1)],
    readOnly: [taken('l0', 'readOnly', 1)],
    blocked: [taken('l0', 'blocked', 1)],
    providerDenied: [taken('l0', 'providerDenied', 1)],
    killed: [taken('l0', 'killed', 1)],
  };
  const cells: {
    [S in keyof typeof histories]: {
      [K in LockKind]: 'taken' | 'known' | 'wrong_state' | 'tenant_killed';
    };
  } = {
    open: {
      providerDenied: 'taken',
      suspended: 'taken',
      readOnly: 'taken',
      blocked: 'taken',
      killed: 'taken',
    },
    suspended: {
      providerDenied: 'taken',
      suspended: 'wrong_state',
      readOnly: 'taken',
      blocked: 'taken',
      killed: 'taken',
    },
    readOnly: {
      providerDenied: 'taken',
      suspended: 'taken',
      readOnly: 'wrong_state',
      blocked: 'taken',
      killed: 'taken',
    },
    blocked: {
      providerDenied: 'taken',
      suspended: 'taken',
      readOnly: 'taken',
      blocked: 'wrong_state',
      killed: 'taken',
    },
    providerDenied: {
      providerDenied: 'known',
      suspended: 'taken',
      readOnly: 'taken',
      blocked: 'taken',
      killed: 'taken',
    },
    killed: {
      providerDenied: 'known',
      suspended: 'tenant_killed',
      readOnly: 'tenant_killed',
      blocked: 'tenant_killed',
      killed: 'wrong_state',
    },
  };
  for (const state of Object.keys(histories) as (keyof typeof histories)[])
    for (const kind of Object.keys(LOCK_OWNERS) as LockKind[]) {
      const cell = cells[state][kind];
      it(`${state} × ${kind}: ${cell}`, () => {
        const result = given(accessDecider, histories[state]).when(take('l1', kind));
        if (cell === 'taken') result.then(taken('l1', kind, histories[state].length === 0 ? 1 : 2));
        else if (cell === 'known') result.thenNothing();
        else result.refused(cell);
      });
    }
});

function liftedByAnother(kind: LockKind): void {
  const locked = given(accessDecider, [taken('s1', kind, 1, { lockedBy: 'sub-a' })]);
  const release = { kind: 'ReleaseLock', lock: 's1', owner: 'tenant' } as const;
  locked.when({ ...release, releasedBy: 'sub-a' }).refused('forbidden');
  locked.when({ ...release, releasedBy: 'sub-b' }).then(released('s1', kind, 2));
}

describe('access', () => {
  it('an unblock finds the block itself, and leaves what others hold', () =>
    given(accessDecider, [taken('s1', 'suspended', 1), taken('b1', 'blocked', 2)])
      .when({ kind: 'Unblock' })
      .then(released('b1', 'blocked', 3)));

  it.each([
    ['open', []],
    ['locked', [taken('s1', 'suspended', 1)]],
    ['killed', [taken('k1', 'killed', 1)]],
  ] as const)('a raised term leaves epoch and locks as they are: %s', (status, history) => {
    const raised = (term: number): AccessEvent => ({
      type: 'TermRaised',
      data: { term, ledger: `ledger-${term}` },
    });
    const state = (events: readonly AccessEvent[]) =>
      events.reduce((at, event) => accessDecider.evolve(at, event), accessDecider.initial);
    const before = state(history);
    expect(state([...history, raised(2)])).toEqual({ ...before, status, term: 2 });
    given(accessDecider, [...history, raised(2)])
      .when({ kind: 'RaiseTerm', ledger: 'ledger-3' })
      .then(raised(3));
  });

  it('a lock taken twice is taken once', () =>
    given(accessDecider, [taken('s1', 'suspended', 1)])
      .when(take('s1', 'suspended'))
      .thenNothing());

  it('a denial carries the refused call that proved it', () => {
    const proof = { rootKeyId: 'rk1', callId: 'c1', providerRequestId: 'p1' };
    given(accessDecider)
      .when(take('d1', 'providerDenied', proof))
      .then({
        type: 'LockTaken',
        data: { ...taken('d1', 'providerDenied', 1).data, ...proof } as never,
      });
  });

  it.each([
    ['suspended', 'platform'],
    ['readOnly', 'platform'],
    ['blocked', 'tenant'],
    ['providerDenied', 'tenant'],
    ['killed', 'keystore'],
  ] as const)('a lock %s is not the %s’s to take', (kind, owner) =>
    given(accessDecider)
      .when(take('l1', kind, { owner }))
      .refused('forbidden'),
  );

  it.each(['killed', 'blocked', 'providerDenied'] as const)(
    '%s concerns the whole tenant, never one service',
    (kind) =>
      given(accessDecider)
        .when(take('l1', kind, { scope: { service: 'billing' } }))
        .refused('invalid_request', 'scope'),
  );

  it.each(['suspended', 'readOnly'] as const)('two services are %s independently', (kind) => {
    const [mail, billing] = [{ scope: { service: 'mail' } }, { scope: { service: 'billing' } }];
    const one = given(accessDecider, [taken('s1', kind, 1, mail)]);
    one.when(take('s2', kind, billing)).then(taken('s2', kind, 2, billing));
    one.when(take('s2', kind, mail)).refused('wrong_state');
  });

  it.each([
    ['suspended', 'platform', 'forbidden'],
    ['suspended', 'keystore', 'forbidden'],
    ['readOnly', 'platform', 'forbidden'],
    ['readOnly', 'keystore', 'forbidden'],
    ['blocked', 'tenant', 'forbidden'],
    ['providerDenied', 'tenant', 'forbidden'],
    ['killed', 'tenant', 'approval_required'],
    ['killed', 'platform', 'approval_required'],
  ] as const)('%s is not released by %s: %s', (kind, owner, code) =>
    given(accessDecider, [taken('l1', kind, 1)])
      .when({ kind: 'ReleaseLock', lock: 'l1', owner })
      .refused(code),
  );

  it('who suspended does not release, another person does', () => liftedByAnother('suspended'));
  it('who made it read-only does not release, another person does', () =>
    liftedByAnother('readOnly'));

  it.each([
    ['suspended', 'readOnly'],
    ['readOnly', 'suspended'],
    ['readOnly', 'blocked'],
  ] as const)('%s is released and leaves %s as it is', (kind, other) => {
    const both = given(accessDecider, [taken('l1', kind, 1), taken('l2', other, 2)]);
    const [owner, epoch] = [LOCK_OWNERS[kind], 3];
    both.when({ kind: 'ReleaseLock', lock: 'l1', owner }).then(released('l1', kind, epoch));
    const left = given(accessDecider, [
      taken('l1', kind, 1),
      taken('l2', other, 2),
      released('l1', kind, epoch),
    ]).state;
    expect(locksOf(left).map((lock) => lock.kind)).toEqual([other]);
  });

  it('the keystore allowing again changes nothing of a killed tenant', () =>
    given(accessDecider, [taken('d1', 'providerDenied', 1), taken('k1', 'killed', 2)])
      .when({ kind: 'ReleaseLock', lock: 'd1', owner: 'keystore' })
      .thenNothing());

  it('access opens when the last lock is released', () => {
    const both = [taken('s1', 'suspended', 1), taken('b1', 'blocked', 2)];
    const one = [...both, released('s1', 'suspended', 3)];
    expect(given(accessDecider, one).state.status).toBe('locked');
    const none = [...one, released('b1', 'blocked', 4)];
    expect(given(accessDecider, none).state).toEqual({ status: 'open', term: 1, epoch: 4 });
  });

  it('every event raises the epoch by one, nothing else does, and a kill never ends', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd');
    const kind = fc.constantFrom(...(Object.keys(LOCK_OWNERS) as LockKind[]));
    const owner = fc.constantFrom('keystore', 'tenant', 'platform');
    const command: fc.Arbitrary<AccessCommand> = fc.oneof(
      fc.tuple(id, kind).map(([lock, lockKind]) => take(lock, lockKind)),
      fc
        .tuple(id, owner)
        .map(([lock, by]): AccessCommand => ({ kind: 'ReleaseLock', lock, owner: by })),
    );
    const closing = (locks: ReturnType<typeof locksOf>) =>
      locks.filter((lock) => lock.kind !== 'readOnly').map(({ lock }) => lock);
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        let state = accessDecider.initial;
        for (const each of commands) {
          const decision = accessDecider.decide(each, state);
          if (decision.kind === 'refused') continue;
          const before = state;
          for (const event of decision.events) state = accessDecider.evolve(state, event);
          expect(state.epoch).toBe(before.epoch + decision.events.length);
          expect(decision.events.length).toBeLessThanOrEqual(1);
          if (before.status === 'killed') expect(state).toEqual(before);
          const locks = locksOf(state);
          expect(new Set(locks.map(({ lock }) => lock)).size).toBe(locks.length);
          expect(state.status === 'open').toBe(locks.length === 0);
          // A read-only that comes or goes changes nothing of what ends all use, and nothing of it.
          const of = 'lock' in each ? each.lock : null;
          const kindOf = [...locksOf(before), ...locks].find(({ lock }) => lock === of)?.kind;
          if (kindOf === 'readOnly') expect(closing(locks)).toEqual(closing(locksOf(before)));
          expect(state.status === 'killed').toBe(locks.some((lock) => lock.kind === 'killed'));
        }
      }),
    );
  });
});
