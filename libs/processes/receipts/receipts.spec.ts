import type { RevocationEvent, RevocationKind } from '@kcm/domain';
import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import { receipts } from './index.js';

const { kill } = acmeStreams;
const hardBound = '2030-01-01T00:01:01.000Z';
const todo = (story: Story) => new ProcessFold(receipts).add(story.events).todo('acme/rev-kill');
const locked = (holders: readonly string[], kind: RevocationKind = 'kill'): RevocationEvent => ({
  type: 'RevocationLocked',
  data: {
    kind,
    scope: { all: true },
    cause: 'x',
    lockedBy: 'sub-a',
    startedAt: '2030-01-01T00:00:00.000Z',
    hardBound,
    epoch: 1,
    holders: holders.map((id) => ({ id, lastGrantEnds: hardBound })),
    probe: null,
  },
});
const acknowledged = (holder: string): RevocationEvent => ({
  type: 'RevocationAcknowledged',
  data: { holder, boot: 'b', refusedAt: hardBound, erasedAt: null, statement: 'a.b.c' },
});
const shredded: RevocationEvent = { type: 'RevocationShredded', data: {} };
const issued = (kind: 'locked' | 'shredded'): RevocationEvent => ({
  type: 'ReceiptIssued',
  data: { receipt: 'rc', kind, digest: 'ab' },
});
const item = (receipt: string, dueAt?: string) => ({
  id: `receipt:${receipt}`,
  ...(dueAt === undefined ? {} : { dueAt }),
  step: { kind: 'issueReceipt', tenant: 'acme', revocation: 'rev-kill', receipt },
});

describe('process receipts', () => {
  processContract(receipts);

  it.each([
    ['suspend', 'locked'],
    ['kill', 'locked'],
    ['provider-denied', 'provider-denied'],
    ['l1-destroyed', 'l1-destroyed'],
  ] as const)('a lock of kind %s that nobody has to acknowledge is certified %s', (kind, receipt) =>
    expect(todo(new Story().note(kill, [locked([], kind)]))).toEqual([item(receipt)]),
  );

  it('a read-only is certified by nothing: every holder keeps its keys', () =>
    expect(todo(new Story().note(kill, [locked(['edge:e1'], 'read-only')]))).toEqual([]));

  it('waits for every holder, and no longer than to the hard bound', () => {
    const story = new Story().note(kill, [locked(['edge:e1', 'edge:e2'])]);
    expect(todo(story)).toEqual([item('locked', hardBound)]);
    story.note(kill, [acknowledged('edge:e2')]);
    expect(todo(story)).toEqual([item('locked', hardBound)]);
    story.note(kill, [acknowledged('edge:e1')]);
    expect(todo(story)).toEqual([item('locked')]);
    expect(todo(story.note(kill, [issued('locked')]))).toEqual([]);
  });

  it('a shred is certified besides its lock', () => {
    const story = new Story().note(kill, [locked(['edge:e1'])]).note(kill, [shredded]);
    expect(todo(story)).toEqual([item('locked', hardBound), item('shredded', hardBound)]);
    story.note(kill, [issued('locked')]);
    expect(todo(story)).toEqual([item('shredded', hardBound)]);
    expect(todo(story.note(kill, [issued('shredded')]))).toEqual([]);
  });

  it('a word of a holder that held nothing changes nothing', () => {
    const story = new Story()
      .note(kill, [locked(['edge:e1'])])
      .note(kill, [acknowledged('edge:x')]);
    expect(todo(story)).toEqual([item('locked', hardBound)]);
  });
});
