import { never } from '@kcm/kernel';
import { accepted, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { RegionCommand } from './region.commands.js';
import type { RegionEvent } from './region.events.js';
import { regionPolicies } from './region.policies.js';
import type { RegionState } from './region.state.js';

function decide(command: RegionCommand, state: RegionState): Decision<RegionEvent> {
  const refusal = firstRefusal(regionPolicies, command, state);
  if (refusal !== null) return refusal;
  const sameBoot = (boot: string) => state.status === 'unsealed' && state.boot === boot;
  switch (command.kind) {
    case 'InitializeRegion':
      return accepted({ type: 'RegionInitialized', data: command.region });
    case 'RecordUnsealed':
      // A boot that died unsealed left no word; the next one's unseal stands on its own.
      return sameBoot(command.boot)
        ? accepted()
        : accepted({ type: 'RegionUnsealed', data: { boot: command.boot } });
    case 'RecordSealed':
      return sameBoot(command.boot)
        ? accepted({ type: 'RegionSealed', data: { boot: command.boot } })
        : accepted();
    case 'RecordToken':
      return accepted({ type: 'TokenIssued', data: command.token });
    case 'RecordCertificate':
      return accepted({ type: 'CertificateIssued', data: command.certificate });
    default:
      return never(command);
  }
}

function evolve(state: RegionState, event: RegionEvent): RegionState {
  if (event.type === 'RegionInitialized') return { status: 'sealed', config: event.data };
  if (state.status === 'uninitialized') return state;
  switch (event.type) {
    case 'RegionUnsealed':
      return { status: 'unsealed', config: state.config, boot: event.data.boot };
    case 'RegionSealed':
      return { status: 'sealed', config: state.config };
    case 'TokenIssued':
    case 'CertificateIssued':
      return state;
    default:
      return never(event);
  }
}

export const regionDecider: Decider<RegionCommand, RegionState, RegionEvent> = {
  initial: { status: 'uninitialized' },
  decide,
  evolve,
};
