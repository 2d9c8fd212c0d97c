import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { EventId, Position, RecordedEvent, StreamId } from '@kcm/kernel';
import { entryOf, leafOf } from './entry.js';
import { leafHash } from './hashes.js';

const event = {
  id: 'e-1' as EventId,
  type: 'TenantRegistered',
  schemaVersion: 1,
  stream: 'tenant-acme' as StreamId,
  revision: 0,
  position: '0000000001' as Position,
  data: { b: 1, a: ['x', null] },
  meta: {
    commandId: 'c-1',
    fingerprint: 'f',
    tenant: 'acme',
    actor: 'sub-a',
    origin: 'local',
    term: 1,
    epoch: 0,
    occurredAt: '2026-01-02T03:04:05.678Z',
    correlationId: 'r',
    causationId: 'c-1',
    traceparent: '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01',
  },
} as unknown as RecordedEvent;
/** Frozen: another value means that every log there is would no longer verify. */
const GOLDEN = '8cfec2bc83a86d8944b05beb88f5801e4ac468dec1005a0a27240b90c1dca452';

describe('the entry of an event', () => {
  it('is the frozen one', () => {
    expect(entryOf(event).toString('hex')).toBe(GOLDEN);
    expect(leafOf(event).equals(leafHash(entryOf(event)))).toBe(true);
  });

  it('is the same in another ledger and another trace, and whatever the order of its members', () => {
    const { traceparent: _, ...meta } = event.meta;
    const elsewhere = { ...event, position: '0000000009' as Position, meta };
    expect(entryOf(elsewhere).equals(entryOf(event))).toBe(true);
    const reordered = { ...event, data: { a: ['x', null], b: 1 } };
    expect(entryOf(reordered).equals(entryOf(event))).toBe(true);
  });

  it.each([
    ['id', { ...event, id: 'e-2' as EventId }],
    ['type', { ...event, type: 'TenantActivated' }],
    ['schema version', { ...event, schemaVersion: 2 }],
    ['stream', { ...event, stream: 'tenant-other' as StreamId }],
    ['revision', { ...event, revision: 1 }],
    ['data', { ...event, data: { ...event.data, b: 2 } }],
    ['actor', { ...event, meta: { ...event.meta, actor: 'sub-b' } }],
    ['time', { ...event, meta: { ...event.meta, occurredAt: '2026-01-02T03:04:05.679Z' } }],
  ])('is another with another %s', (_what, other) => {
    expect(entryOf(other).equals(entryOf(event))).toBe(false);
  });
});

describe('the leaves of the golden corpus', () => {
  const room = (name: string) => join(process.cwd(), 'libs', name);
  const parse = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as unknown;
  /** Frozen, as the corpus is: a new example adds lines to it, and none is ever changed. */
  const frozen = parse(room('transparency/golden-leaves.json')) as Record<string, string[]>;
  const corpus = readdirSync(room('domain/golden')).map((file) => {
    const { events } = parse(room(`domain/golden/${file}`)) as { events: RecordedEvent[] };
    return { file, leaves: events.map((each) => leafOf(each).toString('hex')) };
  });

  it.each(corpus)('$file has those that it has always had', ({ file, leaves }) => {
    expect(leaves).toEqual(frozen[file]);
  });

  it('are all told apart', () => {
    const leaves = corpus.flatMap((each) => each.leaves);
    expect(new Set(leaves).size).toBe(leaves.length);
    expect(Object.keys(frozen).toSorted()).toEqual(corpus.map(({ file }) => file).toSorted());
  });
});
