import { never } from '@kcm/kernel';
import { accepted, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { RootKeysCommand } from './rootkeys.commands.js';
import type { RootKeysEvent } from './rootkeys.events.js';
import { evolveRootKeys } from './rootkeys.evolve.js';
import { entryOf, isConnected, rootkeysPolicies } from './rootkeys.policies.js';
import type { RootKeysState } from './rootkeys.state.js';

function decide(command: RootKeysCommand, state: RootKeysState): Decision<RootKeysEvent> {
  const refusal = firstRefusal(rootkeysPolicies, command, state);
  if (refusal !== null) return refusal;
  const entry = entryOf(state, command.rootKeyId);
  if (command.kind === 'RequestConnection') {
    const { kind: _, ...data } = command;
    return accepted({ type: 'RootKeyConnectionRequested', data });
  }
  if (entry === null || state.status === 'none') return accepted();
  const pending = (operation: string) => state.probes.has(operation);
  switch (command.kind) {
    case 'ConfirmConnection': {
      if (entry.status !== 'requested') return accepted();
      const { kind: _, ...proof } = command;
      const primary = state.primary === null;
      const { operation } = entry;
      return accepted({ type: 'RootKeyConnected', data: { ...proof, primary, operation } });
    }
    case 'RefuseConnection': {
      if (entry.status !== 'requested') return accepted();
      const { kind: _, ...data } = command;
      const { operation } = entry;
      return accepted({ type: 'RootKeyConnectionRefused', data: { ...data, operation } });
    }
    case 'RequestProbe': {
      const { kind: _, ...data } = command;
      return pending(command.operation)
        ? accepted()
        : accepted({ type: 'RootKeyProbeRequested', data });
    }
    case 'RecordProbe': {
      const { kind: _, ...data } = command;
      return pending(command.operation) ? accepted({ type: 'RootKeyProbed', data }) : accepted();
    }
    case 'RecordDenied': {
      const { kind: _, ...data } = command;
      const known = isConnected(entry) && entry.lastCode === command.code;
      return entry.status === 'denied' && known
        ? accepted()
        : accepted({ type: 'RootKeyDenied', data });
    }
    case 'RecordIndeterminate': {
      // An answer that proves nothing does not soften a denial.
      const { kind: _, ...data } = command;
      return entry.status === 'enabled'
        ? accepted({ type: 'RootKeyIndeterminate', data })
        : accepted();
    }
    case 'RecordRestored': {
      const { kind: _, ...data } = command;
      return entry.status === 'enabled' ? accepted() : accepted({ type: 'RootKeyRestored', data });
    }
    case 'RecordKeyVersion': {
      const { kind: _, ...data } = command;
      return isConnected(entry) && entry.keyVersion === command.keyVersion
        ? accepted()
        : accepted({ type: 'RootKeyVersionObserved', data });
    }
    default:
      return never(command);
  }
}

export const rootkeysDecider: Decider<RootKeysCommand, RootKeysState, RootKeysEvent> = {
  initial: { status: 'none' },
  decide,
  evolve: evolveRootKeys,
};
