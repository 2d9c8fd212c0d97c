import {
  LOCK_RECEIPTS,
  type ReceiptKind,
  type Recorded,
  type RevocationEvent,
  type Scope,
} from '@kcm/domain';
import type { EventId } from '@kcm/kernel';
import type { LoggedEvent } from '@kcm/transparency';
import type { ProvenEvent, Receipt, ReceiptHolder } from './verify/index.js';

type Said<T extends RevocationEvent['type']> = Recorded<Extract<RevocationEvent, { type: T }>>;

/** Where an event is in the log, and how it was stored. */
export interface ProvenLeaf {
  readonly stored: LoggedEvent;
  readonly index: number;
  readonly path: readonly Uint8Array[];
}
/** What the events of the revocation do not say. */
export interface ReceiptSurroundings {
  readonly region: string;
  readonly tenant: string;
  readonly revocation: string;
  readonly ledger: string;
  readonly issuedAt: string;
  /** PEM by statement, of the certificate that verifies it, where it is known. */
  readonly certificates: ReadonlyMap<string, string>;
  /** The keystore of the probed root key. */
  readonly keystore: { readonly name: string; readonly logField: string } | null;
  /** How often data keys were given out in the clear, as reported. */
  readonly exportedKeys: number;
  readonly fourEyes: string | null;
  readonly trialGrade: readonly string[];
  /** Of the events of `restsOn`. */
  readonly leaves: ReadonlyMap<EventId, ProvenLeaf>;
  /** Signed; all paths lead to it. */
  readonly checkpoint: string;
}

const DOES_NOT_CLAIM = [
  'that plaintext which callers had already received is gone',
  'that keys exported in plaintext are gone',
  'that no more keys were exported than Edges had reported when it was issued',
  'anything about memory images, core dumps or swap of machines outside our processes',
  'anything about software that was modified',
  'that everyone is shown the same transparency log: no witness signs its checkpoints',
] as const;

const scopeText = (scope: Scope): string => ('all' in scope ? 'all' : scope.service);

function holdersOf(
  locked: Said<'RevocationLocked'>,
  acknowledged: readonly Said<'RevocationAcknowledged'>[],
  certificates: ReadonlyMap<string, string>,
): ReceiptHolder[] {
  const ends = new Map(locked.data.holders.map((row) => [row.id, row.lastGrantEnds]));
  const spoke = new Set<string>();
  const speakers = acknowledged.flatMap(({ data }): ReceiptHolder[] => {
    const { holder: id, boot, refusedAt, erasedAt, statement } = data;
    const certificate = certificates.get(statement);
    if (certificate === undefined) return [];
    spoke.add(id);
    return [
      {
        id,
        boot,
        lastGrantEnds: ends.get(id) ?? null,
        refusedAt,
        erasedAt,
        statement,
        certificate,
      },
    ];
  });
  const silent = [...ends].filter(([id]) => !spoke.has(id));
  return [
    ...speakers,
    ...silent.map(([id, lastGrantEnds]) => ({
      id,
      boot: '',
      lastGrantEnds,
      refusedAt: null,
      erasedAt: null,
      statement: null,
      certificate: null,
    })),
  ];
}

const said = <T extends RevocationEvent['type']>(
  stream: readonly Recorded<RevocationEvent>[],
  type: T,
) => stream.filter((event) => event.type === type) as unknown as Said<T>[];

function endingOf(stream: readonly Recorded<RevocationEvent>[], kind: ReceiptKind) {
  const locked = said(stream, 'RevocationLocked')[0];
  if (locked === undefined) throw new Error('not the stream of a revocation');
  const requested = said(stream, 'RevocationShredRequested')[0];
  const material = said(stream, 'MaterialShredded')[0];
  const done = said(stream, 'RevocationShredded')[0];
  if (kind === 'shredded' && requested && material && done)
    return { locked, shred: { requested, material, done } };
  if (LOCK_RECEIPTS[locked.data.kind] !== kind) throw new Error(`no ending ${kind}`);
  return { locked, shred: null };
}

/**
 * The events that the receipt of this ending rests on, in the order of the stream.
 * @throws Error unless the stream shows that ending
 */
export function restsOn(
  stream: readonly Recorded<RevocationEvent>[],
  kind: ReceiptKind,
): readonly Recorded<RevocationEvent>[] {
  const { locked, shred } = endingOf(stream, kind);
  return shred === null ? [locked] : [locked, shred.requested, shred.material, shred.done];
}

function proven(leaf: ProvenLeaf | undefined): ProvenEvent {
  if (leaf === undefined) throw new Error('an event without its leaf');
  const { type, id, stream, revision, schemaVersion, data, meta } = leaf.stored;
  const { traceparent: _, ...logged } = meta;
  const at = meta.occurredAt;
  const path = leaf.path.map((hash) => Buffer.from(hash).toString('base64'));
  const { index } = leaf;
  return { type, id, stream, revision, at, schemaVersion, data, meta: logged, index, path };
}

/**
 * The receipt of one ending of a revocation, from its stream.
 * @throws Error unless the stream shows that ending, and for an event without its leaf
 */
export function buildReceipt(
  stream: readonly Recorded<RevocationEvent>[],
  kind: ReceiptKind,
  around: ReceiptSurroundings,
): Receipt {
  const { locked, shred } = endingOf(stream, kind);
  const { data } = locked;
  const { kind: revoked } = data;
  if (revoked === 'read-only') throw new Error('there is no receipt of a read-only');
  const { keystore } = around;
  return {
    format: 2,
    kind,
    issuedAt: around.issuedAt,
    region: around.region,
    tenant: around.tenant,
    ledger: around.ledger,
    revocation: {
      id: around.revocation,
      kind: revoked,
      scope: scopeText(data.scope),
      cause: data.cause,
      lockedBy: data.lockedBy,
      startedAt: data.startedAt,
      hardBound: data.hardBound,
      epoch: data.epoch,
      term: locked.meta.term,
    },
    events: restsOn(stream, kind).map(({ id }) => proven(around.leaves.get(id))),
    checkpoint: around.checkpoint,
    holders: holdersOf(locked, said(stream, 'RevocationAcknowledged'), around.certificates),
    probe:
      data.probe === null || keystore === null
        ? null
        : {
            rootKeyId: data.probe.rootKeyId,
            keystore: keystore.name,
            code: data.cause,
            callId: data.probe.callId,
            providerRequestId: data.probe.providerRequestId,
            logField: keystore.logField,
          },
    shred: shred && {
      requestedBy: shred.requested.data.requestedBy,
      confirmedAt: shred.material.data.confirmedAt,
      erasureKeys: shred.material.data.erasureKeys,
      blobs: shred.material.data.blobs,
      word: shred.material.data.word,
    },
    exported: { keys: around.exportedKeys },
    fourEyes: data.kind === 'kill' ? around.fourEyes : null,
    trialGrade: around.trialGrade,
    doesNotClaim: [...DOES_NOT_CLAIM],
  };
}
