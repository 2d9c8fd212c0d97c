import { never } from '@kcm/kernel';
import { accepted, refused, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { RevocationCommand } from './revocation.commands.js';
import type { RevocationEvent } from './revocation.events.js';
import { revocationPolicies } from './revocation.policies.js';
import type { RevocationState } from './revocation.state.js';

function decide(command: RevocationCommand, state: RevocationState): Decision<RevocationEvent> {
  const refusal = firstRefusal(revocationPolicies, command, state);
  if (refusal !== null) return refusal;
  if (state.status === 'absent')
    return command.kind === 'OpenRevocation'
      ? accepted({ type: 'RevocationLocked', data: command.revocation })
      : refused('not_found', 'No such revocation.');
  switch (command.kind) {
    case 'OpenRevocation':
      return accepted();
    case 'RecordAcknowledgement': {
      const { acknowledgement } = command;
      return state.acknowledged.has(holderKey(acknowledgement))
        ? accepted()
        : accepted({ type: 'RevocationAcknowledged', data: acknowledgement });
    }
    case 'RecordReleased':
      return state.status === 'released'
        ? accepted()
        : accepted({ type: 'RevocationReleased', data: { releasedBy: command.releasedBy } });
    case 'RequestShred': {
      const { requestedBy } = command;
      return accepted({ type: 'RevocationShredRequested', data: { requestedBy } });
    }
    case 'RecordShredded': {
      if (state.status !== 'shredding') return accepted();
      const { kind: _, ...data } = command;
      return accepted<RevocationEvent>(
        { type: 'MaterialShredded', data },
        { type: 'RevocationShredded', data: {} },
      );
    }
    case 'RecordReceipt': {
      const { receipt, receiptKind, digest } = command;
      return state.receipts.some((issued) => issued.kind === receiptKind)
        ? accepted()
        : accepted({ type: 'ReceiptIssued', data: { receipt, kind: receiptKind, digest } });
    }
    default:
      return never(command);
  }
}

/** One boot of one holder: a restarted holder holds nothing and owes no word. */
const holderKey = (at: { readonly holder: string; readonly boot: string }): string =>
  `${at.holder}/${at.boot}`;

function evolve(state: RevocationState, event: RevocationEvent): RevocationState {
  if (event.type === 'RevocationLocked')
    return state.status === 'absent'
      ? { status: 'locked', locked: event.data, acknowledged: new Set(), receipts: [] }
      : state;
  if (state.status === 'absent') return state;
  const { locked, acknowledged, receipts } = state;
  switch (event.type) {
    case 'RevocationAcknowledged':
      return { ...state, acknowledged: new Set([...acknowledged, holderKey(event.data)]) };
    case 'RevocationReleased':
      return { status: 'released', locked, acknowledged, receipts };
    case 'RevocationShredRequested':
      return { ...state, status: 'shredding', requestedBy: event.data.requestedBy };
    case 'MaterialShredded':
      return state;
    case 'RevocationShredded':
      return state.status === 'shredding' ? { ...state, status: 'shredded' } : state;
    case 'ReceiptIssued': {
      const { receipt, kind } = event.data;
      return { ...state, receipts: [...receipts, { receipt, kind }] };
    }
    default:
      return never(event);
  }
}

export const revocationDecider: Decider<RevocationCommand, RevocationState, RevocationEvent> = {
  initial: { status: 'absent' },
  decide,
  evolve,
};
