import {
  LOCK_RECEIPTS,
  type ReceiptKind,
  type Recorded,
  type RevocationEvent,
  type Scope,
} from '@kcm/domain';
import type { Receipt, ReceiptHolder } from './verify/index.js';

type Said<T extends RevocationEvent['type']> = Recorded<Extract<RevocationEvent, { type: T }>>;

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
  readonly exportedKeys: number;
  readonly fourEyes: string | null;
  readonly trialGrade: readonly string[];
}

const DOES_NOT_CLAIM = [
  'that plaintext which callers had already received is gone',
  'that keys exported in plaintext are gone',
  'anything about memory images, core dumps or swap of machines outside our processes',
  'anything about software that was modified',
  'inclusion in a transparency log: this format has no proof yet',
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

/**
 * The receipt of one ending of a revocation, from its stream.
 * @throws Error unless the stream shows that ending
 */
export function buildReceipt(
  stream: readonly Recorded<RevocationEvent>[],
  kind: ReceiptKind,
  around: ReceiptSurroundings,
): Receipt {
  const of = <T extends RevocationEvent['type']>(type: T) =>
    stream.filter((event) => event.type === type) as unknown as Said<T>[];
  const locked = of('RevocationLocked')[0];
  if (locked === undefined) throw new Error('not the stream of a revocation');
  const { data } = locked;
  const material = of('MaterialShredded')[0];
  const done = of('RevocationShredded')[0];
  const requested = of('RevocationShredRequested')[0];
  const shredded =
    kind === 'shredded' && material !== undefined && done !== undefined && requested !== undefined;
  if (!shredded && LOCK_RECEIPTS[data.kind] !== kind) throw new Error(`no ending ${kind}`);
  const { keystore } = around;
  const restsOn = shredded ? [locked, requested, material, done] : [locked];
  return {
    format: 1,
    kind,
    issuedAt: around.issuedAt,
    region: around.region,
    tenant: around.tenant,
    ledger: around.ledger,
    revocation: {
      id: around.revocation,
      kind: data.kind,
      scope: scopeText(data.scope),
      cause: data.cause,
      lockedBy: data.lockedBy,
      startedAt: data.startedAt,
      hardBound: data.hardBound,
      epoch: data.epoch,
      term: locked.meta.term,
    },
    events: restsOn.map(({ type, id, stream: name, revision, meta }) => ({
      type,
      id,
      stream: name,
      revision,
      at: meta.occurredAt,
    })),
    holders: holdersOf(locked, of('RevocationAcknowledged'), around.certificates),
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
    shred: shredded
      ? {
          requestedBy: requested.data.requestedBy,
          confirmedAt: material.data.confirmedAt,
          erasureKeys: material.data.erasureKeys,
          blobs: material.data.blobs,
          word: material.data.word,
        }
      : null,
    exported: { keys: around.exportedKeys },
    fourEyes: data.kind === 'kill' ? around.fourEyes : null,
    trialGrade: around.trialGrade,
    doesNotClaim: [...DOES_NOT_CLAIM],
  };
}
