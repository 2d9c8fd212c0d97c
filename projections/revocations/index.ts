import type { ReceiptKind, Recorded, RevocationEvent, RevocationKind, Scope } from '@kcm/domain';
import { never, parseStream, type Revision } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey, ownerAndId } from '../doc-key.js';

type Said<T extends RevocationEvent['type']> = Extract<RevocationEvent, { type: T }>['data'];

export interface HolderDoc {
  readonly id: string;
  readonly refusedAt: string | null;
  readonly erasedAt: string | null;
  /** null: held nothing that the ledger knew of when the lock was taken. */
  readonly lastGrantEnds: string | null;
}
export interface RevocationDoc {
  readonly tenant: string;
  readonly id: string;
  readonly kind: RevocationKind;
  readonly scope: Scope;
  readonly cause: string;
  /** Stays `locked` until a requested shred is done. */
  readonly stage: 'locked' | 'shredded' | 'released';
  readonly startedAt: string;
  readonly hardBound: string;
  readonly epoch: number;
  readonly lockedBy: string;
  readonly probe: Said<'RevocationLocked'>['probe'];
  readonly holders: readonly HolderDoc[];
  readonly released: { readonly at: string; readonly by: string } | null;
  readonly shred: {
    readonly requestedAt: string;
    readonly requestedBy: string;
    readonly done: Said<'MaterialShredded'> | null;
  } | null;
  readonly receipts: readonly {
    readonly receipt: string;
    readonly kind: ReceiptKind;
    readonly issuedAt: string;
    readonly digest: string;
  }[];
  /** Of the revocation's stream: the ETag. */
  readonly revision: Revision;
}
type RevocationRecorded = Recorded<RevocationEvent>;

function acknowledged(
  holders: readonly HolderDoc[],
  { holder: id, refusedAt, erasedAt }: Said<'RevocationAcknowledged'>,
): readonly HolderDoc[] {
  if (!holders.some((each) => each.id === id))
    return [...holders, { id, refusedAt, erasedAt, lastGrantEnds: null }];
  return holders.map((each) => (each.id === id ? { ...each, refusedAt, erasedAt } : each));
}

function evolve(before: RevocationDoc, event: RevocationRecorded): RevocationDoc {
  const doc = { ...before, revision: event.revision };
  const at = event.meta.occurredAt;
  switch (event.type) {
    case 'RevocationLocked': {
      const holders = event.data.holders.map(({ id, lastGrantEnds }) => ({
        id,
        refusedAt: null,
        erasedAt: null,
        lastGrantEnds,
      }));
      return { ...doc, ...event.data, holders };
    }
    case 'RevocationAcknowledged':
      return { ...doc, holders: acknowledged(doc.holders, event.data) };
    case 'RevocationReleased':
      return { ...doc, stage: 'released', released: { at, by: event.data.releasedBy } };
    case 'RevocationShredRequested': {
      const { requestedBy } = event.data;
      return { ...doc, shred: { requestedAt: at, requestedBy, done: null } };
    }
    case 'MaterialShredded':
      return { ...doc, shred: doc.shred && { ...doc.shred, done: event.data } };
    case 'RevocationShredded':
      return { ...doc, stage: 'shredded' };
    case 'ReceiptIssued': {
      const { receipt, kind, digest } = event.data;
      return { ...doc, receipts: [...doc.receipts, { receipt, kind, issuedAt: at, digest }] };
    }
    default:
      return never(event);
  }
}

/** A revocation, its holders and its receipts. Key: tenant/revocation. */
export const revocations: Projection<RevocationDoc, RevocationRecorded> = {
  name: 'revocations',
  version: 2,
  handles: [
    'RevocationLocked',
    'RevocationAcknowledged',
    'RevocationReleased',
    'RevocationShredRequested',
    'MaterialShredded',
    'RevocationShredded',
    'ReceiptIssued',
  ],
  keys(event) {
    const { owner, id } = parseStream(event.stream);
    return [docKey(owner, id ?? '')];
  },
  initial: (key) => ({
    tenant: ownerAndId(key).owner,
    id: ownerAndId(key).id,
    kind: 'suspend',
    scope: { all: true },
    cause: '',
    stage: 'locked',
    startedAt: '',
    hardBound: '',
    epoch: 0,
    lockedBy: '',
    probe: null,
    holders: [],
    released: null,
    shred: null,
    receipts: [],
    revision: -1,
  }),
  evolve,
  indexes: [{ fields: ['tenant', 'startedAt'] }, { fields: ['tenant', 'stage'] }],
};
