import { LOCK_RECEIPTS, type ReceiptKind, type Recorded } from '@kcm/domain';
import { parseStream } from '@kcm/kernel';
import type { Process, Todo } from '../process.js';

export interface ReceiptsState {
  readonly tenant: string;
  readonly revocation: string;
  /** Receipts that are owed, in the order in which they came due. */
  readonly owed: readonly ReceiptKind[];
  /** Holders that have not acknowledged. */
  readonly silent: readonly string[];
  readonly hardBound: string | null;
}

function evolve(state: ReceiptsState, event: Recorded): ReceiptsState {
  switch (event.type) {
    case 'RevocationLocked': {
      const { kind, hardBound, holders } = event.data;
      const silent = holders.map(({ id }) => id);
      const receipt = LOCK_RECEIPTS[kind];
      return { ...state, owed: receipt === null ? [] : [receipt], silent, hardBound };
    }
    case 'RevocationAcknowledged':
      return { ...state, silent: state.silent.filter((id) => id !== event.data.holder) };
    case 'RevocationShredded':
      return { ...state, owed: [...state.owed, 'shredded'] };
    case 'ReceiptIssued':
      return { ...state, owed: state.owed.filter((kind) => kind !== event.data.kind) };
    default:
      return state;
  }
}

function todo({ tenant, revocation, owed, silent, hardBound }: ReceiptsState): readonly Todo[] {
  // A receipt names each holder's own word, or that its last grant has ended.
  const wait = silent.length > 0 && hardBound !== null ? { dueAt: hardBound } : {};
  return owed.map((receipt) => ({
    id: `receipt:${receipt}`,
    ...wait,
    step: { kind: 'issueReceipt', tenant, revocation, receipt },
  }));
}

/**
 * A receipt when every holder has spoken, at the hard bound otherwise. Subject: tenant/revocation.
 */
export const receipts: Process<ReceiptsState> = {
  name: 'receipts',
  version: 1,
  handles: ['RevocationLocked', 'RevocationAcknowledged', 'RevocationShredded', 'ReceiptIssued'],
  subjects(event) {
    const { owner, id } = parseStream(event.stream);
    return id === null ? [] : [`${owner}/${id}`];
  },
  initial(subject) {
    const [tenant = '', revocation = ''] = subject.split('/');
    return { tenant, revocation, owed: [], silent: [], hardBound: null };
  },
  evolve,
  todo,
};
