import { sign } from 'node:crypto';
import { generateEd25519, kidOf, signJws } from '@kcm/crypto';
import type { ReceiptKind, Recorded, RevocationEvent } from '@kcm/domain';
import { type EventId, type Json, type RecordedEvent, streamOf } from '@kcm/kernel';
import {
  checkpointText,
  foldSubtrees,
  GrowingTree,
  inclusionRanges,
  leafHash,
  leafOf,
  originOf,
  signNote,
  subtreesOf,
} from '@kcm/transparency';
import { buildReceipt, type ProvenLeaf } from '../build-receipt.js';
import type { Receipt, Trust } from './receipt.js';
import { renderReceipt } from './render-receipt.js';
import { verifyReceipt } from './verify-receipt.js';

const ID = '386bf40b-202c-4215-95d8-b18b629091ec';
const STREAM = streamOf('revocation', 'acme', ID);
const at = (ms: number) => new Date(Date.UTC(2030, 0, 1) + ms).toISOString();
const LOCKED = {
  kind: 'kill',
  scope: { all: true },
  cause: 'incident',
  lockedBy: 'sub-a',
  startedAt: at(0),
  hardBound: at(61_000),
  epoch: 5,
  holders: [{ id: 'edge:e2', lastGrantEnds: at(59_000) }],
  probe: null,
} as const;
const GONE = { erasureKeys: 1, blobs: 8, confirmedAt: at(300), word: 'irreversible' } as const;

const event = (revision: number, type: string, data: object): RecordedEvent =>
  ({
    id: `event-${revision}`,
    type,
    schemaVersion: 1,
    stream: STREAM,
    revision,
    position: String(revision).padStart(16, '0'),
    data,
    meta: {
      commandId: `command-${revision}`,
      fingerprint: '',
      tenant: 'acme',
      actor: 'sub-a',
      origin: 'local',
      term: 1,
      epoch: 5,
      occurredAt: at(revision),
      correlationId: 'c',
      causationId: 'c',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
  }) as unknown as RecordedEvent;

const STORED = [
  event(0, 'RevocationLocked', LOCKED),
  event(1, 'RevocationShredRequested', { requestedBy: 'sub-b' }),
  event(2, 'MaterialShredded', GONE),
  event(3, 'RevocationShredded', {}),
];
/** Leaves of others around those of the revocation. */
const LEAVES = [0, 1, 2, 3].flatMap((n) => [leafHash(Buffer.from([n])), leafOf(STORED[n]!)]);
LEAVES.push(leafHash(Buffer.from('last')));

const tree = new GrowingTree();
const nodes = new Map<string, Buffer>();
for (const leaf of LEAVES)
  for (const { level, index, hash } of tree.append(leaf)) nodes.set(`${level}/${index}`, hash);
const leaves = new Map<EventId, ProvenLeaf>(
  STORED.map((stored, n) => {
    const index = 2 * n + 1;
    const path = inclusionRanges(index, LEAVES.length).map((range) =>
      foldSubtrees(subtreesOf(range).map((node) => nodes.get(`${node.level}/${node.index}`)!)),
    );
    return [stored.id, { stored, index, path }];
  }),
);

const region = generateEd25519();
const stranger = generateEd25519();
const trust = {
  format: 1,
  region: 'local',
  tenant: 'acme',
  signing: { kty: 'OKP', crv: 'Ed25519', x: region.publicRaw.toString('base64url') },
  ca: 'not asked: nobody speaks',
} satisfies Trust;

const note = (text: string, by = region, name = originOf('local', 'l1')): string =>
  signNote(text, { name, publicKey: by.publicRaw }, (message) =>
    sign(null, message, by.privateKey),
  );
const headOf = (origin: string, size = LEAVES.length, root = tree.root()) =>
  checkpointText({ origin, size, root });
const ours = originOf('local', 'l1');

const built = (kind: ReceiptKind): Extract<Receipt, { format: 2 }> =>
  buildReceipt(STORED as unknown as Recorded<RevocationEvent>[], kind, {
    region: 'local',
    tenant: 'acme',
    revocation: ID,
    ledger: 'l1',
    issuedAt: at(62_000),
    certificates: new Map(),
    keystore: null,
    exportedKeys: 0,
    fourEyes: null,
    trialGrade: [],
    leaves,
    checkpoint: note(headOf(ours)),
  }) as Extract<Receipt, { format: 2 }>;

/** As the region would sign it, whatever it says. */
const verified = (receipt: object): Receipt => {
  const header = { kid: kidOf(region.publicRaw), typ: 'kcm-receipt+jws' };
  return verifyReceipt(signJws(region.privateKey, header, receipt as Json), trust);
};
const refusal = (receipt: object): unknown => {
  try {
    verified(receipt);
    return null;
  } catch (error) {
    return error;
  }
};
const failing = (code: string) =>
  expect.objectContaining({ code: 'integrity', errors: [expect.objectContaining({ code })] });

/** The value with one text, number, truth or null in it changed, each in turn. */
function* changedOnce(value: unknown): Generator {
  if (typeof value === 'string') yield `${value}x`;
  else if (typeof value === 'number') yield value + 1;
  else if (typeof value === 'boolean') yield !value;
  else if (value === null || value === undefined) yield 'x';
  else if (Array.isArray(value))
    for (const [n, each] of (value as unknown[]).entries())
      for (const other of changedOnce(each)) yield (value as unknown[]).with(n, other);
  else
    for (const [name, each] of Object.entries(value))
      for (const other of changedOnce(each)) yield Object.assign({}, value, { [name]: other });
}

describe('A receipt of format 2', () => {
  it.each(['locked', 'shredded'] as const)('%s carries the proof of its events', (kind) => {
    const receipt = built(kind);
    expect(verified(receipt)).toEqual(receipt);
    expect(receipt.events.map(({ index }) => index)).toEqual(
      kind === 'locked' ? [1] : [1, 3, 5, 7],
    );
    expect(JSON.stringify(receipt)).not.toContain('traceparent');
    expect(renderReceipt(receipt)).toContain(`${ours}: leaves 1`);
  });

  it('is refused for any member of an event that is not as the log has it', () => {
    const receipt = built('shredded');
    let tried = 0;
    for (const [n, { path: _, index: __, ...logged }] of receipt.events.entries())
      for (const other of changedOnce(logged)) {
        const events = receipt.events.with(n, { ...receipt.events[n]!, ...(other as object) });
        expect(refusal({ ...receipt, events })).toEqual(
          expect.objectContaining({ code: 'integrity' }),
        );
        tried += 1;
      }
    expect(tried).toBeGreaterThan(60);
  });

  it('is refused for each part of each proof that is another', () => {
    const receipt = built('shredded');
    for (const [n, event] of receipt.events.entries()) {
      const others = [
        { index: event.index + 1 },
        { index: LEAVES.length },
        { path: event.path.slice(1) },
        { path: [...event.path, event.path[0]!] },
        ...event.path.map((_, k) => ({
          path: event.path.with(k, leafHash(Buffer.from('no')).toString('base64')),
        })),
        ...event.path.map((_, k) => ({
          path: event.path.with(k, event.path[(k + 1) % event.path.length]!),
        })),
      ];
      for (const other of others) {
        const events = receipt.events.with(n, { ...event, ...other });
        expect(refusal({ ...receipt, events })).toEqual(failing('not_included'));
      }
    }
  });

  it.each<[string, string, string]>([
    ['signed by another key', note(headOf(ours), stranger), 'checkpoint_signature'],
    ['that nobody signed', headOf(ours), 'checkpoint_signature'],
    [
      'signed under the name of another log',
      note(headOf(ours), region, 'other'),
      'checkpoint_signature',
    ],
    ['of another log', note(headOf(originOf('eu', 'l1'))), 'checkpoint_format'],
    ['of another ledger', note(headOf(originOf('local', 'l2'))), 'checkpoint_format'],
    ['that is none', note(`${ours}\nmany\n`), 'checkpoint_format'],
    [
      'with another root',
      note(headOf(ours, LEAVES.length, leafHash(Buffer.of(1)))),
      'not_included',
    ],
    ['of another size', note(headOf(ours, 4)), 'not_included'],
  ])('with a checkpoint %s is refused', (_what, checkpoint, why) => {
    expect(refusal({ ...built('locked'), checkpoint })).toEqual(failing(why));
  });

  it('with any one character of its checkpoint changed is refused', () => {
    const receipt = built('locked');
    const { checkpoint } = receipt;
    for (let n = 0; n < checkpoint.length; n += 1) {
      const other = String.fromCharCode(checkpoint.charCodeAt(n) ^ 1);
      const changed = checkpoint.slice(0, n) + other + checkpoint.slice(n + 1);
      expect(refusal({ ...receipt, checkpoint: changed })).toEqual(
        expect.objectContaining({ code: 'integrity' }),
      );
    }
  });

  const shredded = built('shredded');
  const { revocation, shred, holders, events } = shredded;
  it.each<[string, object]>([
    ['who locked', { revocation: { ...revocation, lockedBy: 'sub-x' } }],
    ['why', { revocation: { ...revocation, cause: 'offboarding' } }],
    ['what was locked', { revocation: { ...revocation, scope: 'billing' } }],
    ['since when', { revocation: { ...revocation, startedAt: at(1) } }],
    ['the bound', { revocation: { ...revocation, hardBound: at(60_000) } }],
    ['the epoch', { revocation: { ...revocation, epoch: 6 } }],
    ['the term', { revocation: { ...revocation, term: 2 } }],
    ['which revocation', { revocation: { ...revocation, id: 'another' } }],
    ['who shredded', { shred: { ...shred, requestedBy: 'sub-a' } }],
    ['when it was gone', { shred: { ...shred, confirmedAt: at(299) } }],
    ['how many keys are gone', { shred: { ...shred, erasureKeys: 2 } }],
    ['how many blobs are gone', { shred: { ...shred, blobs: 9 } }],
    ['what the shred is worth', { shred: { ...shred, word: 'irreversible after a year' } }],
    ['who held a lease', { holders: [] }],
    ['when the last grant ended', { holders: [{ ...holders[0]!, lastGrantEnds: at(58_000) }] }],
    ['a holder that was none', { holders: [...holders, { ...holders[0]!, id: 'edge:e9' }] }],
    [
      'a probe that was none',
      {
        probe: {
          rootKeyId: 'r',
          keystore: 'k',
          code: 'incident',
          callId: 'c',
          providerRequestId: null,
          logField: 'f',
        },
      },
    ],
  ])('that says otherwise than the log %s is refused', (_what, change) => {
    expect(refusal({ ...shredded, ...change })).toEqual(failing('said_otherwise'));
  });

  it.each<[string, object]>([
    ['lacks an event', { events: events.slice(0, 3) }],
    ['rests on an event twice', { events: [...events, events[3]!] }],
    ['has them in another order', { events: events.toReversed() }],
    ['of a lock rests on a shred', { kind: 'locked', shred: null }],
  ])('that %s is refused', (_what, change) => {
    expect(refusal({ ...shredded, ...change })).toEqual(failing('events'));
  });
});
