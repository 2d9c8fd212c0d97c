import * as fc from 'fast-check';
import { everyCell, given } from '@kcm/testing';
import type { RevocationCommand } from './revocation.commands.js';
import { revocationDecider } from './revocation.decide.js';
import type { ReceiptKind, RevocationEvent, RevocationKind } from './revocation.events.js';
import { LOCK_RECEIPTS } from './revocation.policies.js';

const locked = {
  kind: 'kill',
  scope: { all: true },
  cause: 'breach',
  lockedBy: 'sub-a',
  startedAt: '2030-01-01T00:00:00.000Z',
  hardBound: '2030-01-01T00:01:01.000Z',
  epoch: 1,
  holders: [{ id: 'edge:e1', lastGrantEnds: '2030-01-01T00:00:40.000Z' }],
  probe: null,
} as const;
const opened: RevocationEvent = { type: 'RevocationLocked', data: locked };
const openedAs = (kind: RevocationKind): RevocationEvent => ({
  type: 'RevocationLocked',
  data: { ...locked, kind },
});
const acknowledgement = {
  holder: 'edge:e1',
  boot: 'b1',
  refusedAt: '2030-01-01T00:00:00.010Z',
  erasedAt: null,
  statement: 'a.b.c',
};
const shredAsked: RevocationEvent = {
  type: 'RevocationShredRequested',
  data: { requestedBy: 'sub-b' },
};
const shred = {
  erasureKeys: 1,
  blobs: 4,
  confirmedAt: '2030-01-01T00:02:00.000Z',
  word: 'recoverable from a disk image',
} as const;
const shredded: readonly RevocationEvent[] = [
  { type: 'MaterialShredded', data: shred },
  { type: 'RevocationShredded', data: {} },
];
const released: RevocationEvent = { type: 'RevocationReleased', data: { releasedBy: 'sub-b' } };
const receipt = (receiptKind: ReceiptKind) =>
  ({ kind: 'RecordReceipt', receipt: 'rc1', receiptKind, digest: 'ab' }) as const;

describe('revocation: every state × command', () => {
  everyCell(revocationDecider, {
    shows: {
      absent: 'absent',
      locked: 'locked',
      released: 'released',
      shredding: 'shredding',
      shredded: 'shredded',
    },
    histories: {
      absent: [],
      locked: [opened],
      suspended: [openedAs('suspend')],
      readOnly: [openedAs('read-only')],
      released: [openedAs('suspend'), released],
      shredding: [opened, shredAsked],
      shredded: [opened, shredAsked, ...shredded],
    },
    commands: {
      OpenRevocation: { kind: 'OpenRevocation', revocation: locked },
      RecordAcknowledgement: { kind: 'RecordAcknowledgement', acknowledgement },
      RecordReleased: { kind: 'RecordReleased', releasedBy: 'sub-b' },
      RequestShred: { kind: 'RequestShred', requestedBy: 'sub-b' },
      RecordShredded: { kind: 'RecordShredded', ...shred },
      RecordReceipt: receipt('locked'),
    },
    table: {
      absent: {
        OpenRevocation: ['RevocationLocked'],
        RecordAcknowledgement: 'not_found',
        RecordReleased: 'not_found',
        RequestShred: 'not_found',
        RecordShredded: 'not_found',
        RecordReceipt: 'not_found',
      },
      locked: {
        OpenRevocation: [],
        RecordAcknowledgement: ['RevocationAcknowledged'],
        RecordReleased: 'approval_required',
        RequestShred: ['RevocationShredRequested'],
        RecordShredded: 'wrong_state',
        RecordReceipt: ['ReceiptIssued'],
      },
      suspended: {
        OpenRevocation: [],
        RecordAcknowledgement: ['RevocationAcknowledged'],
        RecordReleased: ['RevocationReleased'],
        RequestShred: 'wrong_state',
        RecordShredded: 'wrong_state',
        RecordReceipt: ['ReceiptIssued'],
      },
      readOnly: {
        OpenRevocation: [],
        RecordAcknowledgement: ['RevocationAcknowledged'],
        RecordReleased: ['RevocationReleased'],
        RequestShred: 'wrong_state',
        RecordShredded: 'wrong_state',
        RecordReceipt: 'wrong_state',
      },
      released: {
        OpenRevocation: [],
        RecordAcknowledgement: ['RevocationAcknowledged'],
        RecordReleased: [],
        RequestShred: 'wrong_state',
        RecordShredded: 'wrong_state',
        RecordReceipt: ['ReceiptIssued'],
      },
      shredding: {
        OpenRevocation: [],
        RecordAcknowledgement: ['RevocationAcknowledged'],
        RecordReleased: 'approval_required',
        RequestShred: 'wrong_state',
        RecordShredded: ['MaterialShredded', 'RevocationShredded'],
        RecordReceipt: ['ReceiptIssued'],
      },
      shredded: {
        OpenRevocation: [],
        RecordAcknowledgement: ['RevocationAcknowledged'],
        RecordReleased: 'approval_required',
        RequestShred: 'wrong_state',
        RecordShredded: [],
        RecordReceipt: ['ReceiptIssued'],
      },
    },
  });
});

describe('revocation', () => {
  it('who locked cannot shred', () =>
    given(revocationDecider, [opened])
      .when({ kind: 'RequestShred', requestedBy: 'sub-a' })
      .refused('forbidden'));

  it.each(['suspend', 'read-only', 'provider-denied', 'l1-destroyed'] as const)(
    '%s is never shredded',
    (kind) =>
      given(revocationDecider, [openedAs(kind)])
        .when({ kind: 'RequestShred', requestedBy: 'sub-b' })
        .refused('wrong_state'),
  );

  it('a boot of a holder acknowledges once, its next boot for itself', () => {
    const once = given(revocationDecider, [
      opened,
      { type: 'RevocationAcknowledged', data: acknowledgement },
    ]);
    once.when({ kind: 'RecordAcknowledgement', acknowledgement }).thenNothing();
    const next = { ...acknowledgement, boot: 'b2' };
    once
      .when({ kind: 'RecordAcknowledgement', acknowledgement: next })
      .then({ type: 'RevocationAcknowledged', data: next });
  });

  it('a receipt of each kind is issued once', () => {
    const { type, data } = {
      type: 'ReceiptIssued',
      data: { receipt: 'rc1', kind: 'locked', digest: 'ab' },
    } as const;
    const history: RevocationEvent[] = [opened, { type, data }];
    given(revocationDecider, history)
      .when({ ...receipt('locked'), receipt: 'rc2' })
      .thenNothing();
  });

  const kinds = Object.keys(LOCK_RECEIPTS) as RevocationKind[];
  const receipts: ReceiptKind[] = ['locked', 'provider-denied', 'l1-destroyed', 'shredded'];
  it.each(kinds.flatMap((kind) => receipts.map((each) => [kind, each] as const)))(
    'a standing %s has its own receipt and no other: %s',
    (kind, each) => {
      const asked = given(revocationDecider, [openedAs(kind)]).when(receipt(each));
      if (LOCK_RECEIPTS[kind] === each)
        asked.then({ type: 'ReceiptIssued', data: { receipt: 'rc1', kind: each, digest: 'ab' } });
      else asked.refused('wrong_state');
    },
  );

  it('a shred is certified only when it is done', () => {
    given(revocationDecider, [opened, shredAsked]).when(receipt('shredded')).refused('wrong_state');
    given(revocationDecider, [opened, shredAsked, ...shredded])
      .when(receipt('shredded'))
      .then({ type: 'ReceiptIssued', data: { receipt: 'rc1', kind: 'shredded', digest: 'ab' } });
  });

  it('no sequence shreds what was released or releases what was shredded', () => {
    const kind = fc.constantFrom(...kinds);
    const subject = fc.constantFrom('sub-a', 'sub-b');
    const command: fc.Arbitrary<RevocationCommand> = fc.oneof(
      kind.map((each): RevocationCommand => ({
        kind: 'OpenRevocation',
        revocation: { ...locked, kind: each },
      })),
      subject.map((by): RevocationCommand => ({ kind: 'RecordReleased', releasedBy: by })),
      subject.map((by): RevocationCommand => ({ kind: 'RequestShred', requestedBy: by })),
      fc.constant<RevocationCommand>({ kind: 'RecordShredded', ...shred }),
      fc.constantFrom(...receipts).map((each): RevocationCommand => receipt(each)),
      fc.constant<RevocationCommand>({ kind: 'RecordAcknowledgement', acknowledgement }),
    );
    const next = {
      absent: ['locked'],
      locked: ['released', 'shredding'],
      released: [],
      shredding: ['shredded'],
      shredded: [],
    } as Record<string, readonly string[]>;
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        let state = revocationDecider.initial;
        for (const each of commands) {
          const decision = revocationDecider.decide(each, state);
          if (decision.kind === 'refused') continue;
          const before = state.status;
          for (const event of decision.events) state = revocationDecider.evolve(state, event);
          expect([before, ...next[before]!]).toContain(state.status);
          if (state.status === 'shredding') {
            expect(state.locked.kind).toBe('kill');
            expect(state.requestedBy).not.toBe(state.locked.lockedBy);
          }
        }
      }),
    );
  });
});
