import { LIMITS, never } from '@kcm/kernel';
import { accepted, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { RegionCommand } from './region.commands.js';
import type { RegionEvent } from './region.events.js';
import { regionPolicies } from './region.policies.js';
import type { RegionState } from './region.state.js';

function decide(command: RegionCommand, state: RegionState): Decision<RegionEvent> {
  const refusal = firstRefusal(regionPolicies, command, state);
  if (refusal !== null) return refusal;
  const opened = state.status === 'unsealed' ? [state.boot, ...(state.before ?? [])] : [];
  switch (command.kind) {
    case 'InitializeRegion':
      return accepted({ type: 'RegionInitialized', data: command.region });
    case 'RecordUnsealed':
      // A boot that died unsealed left no word; the next one's unseal stands on its own.
      return opened[0] === command.boot
        ? accepted()
        : accepted({ type: 'RegionUnsealed', data: { boot: command.boot } });
    case 'RecordSealed':
      // Whoever is asked seals the region: every process of it that is open hears of it.
      return opened.includes(command.boot) || (opened.length > 0 && command.late !== true)
        ? accepted({ type: 'RegionSealed', data: { boot: command.boot } })
        : accepted();
    case 'RecordRekeyed':
      return accepted({ type: 'RegionRekeyed', data: command.rekey });
    case 'RecordKeyringRotated':
      return command.entry > entryOf(state)
        ? accepted({ type: 'RegionKeyringRotated', data: { entry: command.entry } })
        : accepted();
    case 'RecordToken':
      return accepted({ type: 'TokenIssued', data: command.token });
    case 'RecordCertificate':
      return accepted({ type: 'CertificateIssued', data: command.certificate });
    default:
      return never(command);
  }
}

const entryOf = (state: RegionState): number =>
  state.status === 'uninitialized' ? 0 : (state.entry ?? 1);

function evolve(state: RegionState, event: RegionEvent): RegionState {
  if (event.type === 'RegionInitialized') return { status: 'sealed', config: event.data };
  if (state.status === 'uninitialized') return state;
  switch (event.type) {
    case 'RegionUnsealed':
      return unsealedBy(event.data.boot, state);
    case 'RegionSealed':
      return { ...knownOf(state), status: 'sealed' };
    case 'RegionRekeyed': {
      const { replaces, ...set } = event.data;
      const { keystore: _ended, ...kept } = state.config;
      const retired = [...(state.retired ?? []), replaces];
      return { ...state, config: { ...kept, ...set }, retired };
    }
    case 'RegionKeyringRotated':
      return { ...state, entry: event.data.entry };
    case 'TokenIssued':
    case 'CertificateIssued':
      return state;
    default:
      return never(event);
  }
}

type Initialized = Exclude<RegionState, { status: 'uninitialized' }>;

function knownOf({ config, retired, entry }: Initialized) {
  return {
    config,
    ...(retired === undefined ? {} : { retired }),
    ...(entry === undefined ? {} : { entry }),
  };
}

function unsealedBy(boot: string, state: Initialized): RegionState {
  const open = { ...knownOf(state), status: 'unsealed', boot } as const;
  if (state.status === 'sealed') return open;
  const before = [state.boot, ...(state.before ?? [])].filter((other) => other !== boot);
  return { ...open, before: before.slice(0, LIMITS.bootsOpenMax) };
}

export const regionDecider: Decider<RegionCommand, RegionState, RegionEvent> = {
  initial: { status: 'uninitialized' },
  decide,
  evolve,
};
