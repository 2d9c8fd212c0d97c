import { LIMITS, never } from '@kcm/kernel';
import { accepted, refused, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { KeyCommand } from './key.commands.js';
import { type KeyEvent, UNPACED } from './key.events.js';
import { evolveKey } from './key.evolve.js';
import { decideLifecycle } from './key.lifecycle.js';
import { keyPolicies } from './key.policies.js';
import { decideRotation, noRotation } from './key.rotation.js';
import { type ExistingKey, type KeyState, type KeyVersion, versionOf } from './key.state.js';
import { isDestroyed } from './key.states.js';

/** A version never goes back to an earlier parent, nor comes back from its destruction. */
function hangsLower(
  key: ExistingKey,
  version: number,
  wrappedBy: KeyVersion['wrappedBy'],
): boolean {
  const known = versionOf(key, version);
  if (known === null || isDestroyed(known)) return false;
  return Number(known.wrappedBy.version) < Number(wrappedBy.version);
}

function decide(command: KeyCommand, state: KeyState): Decision<KeyEvent> {
  const refusal = firstRefusal(keyPolicies, command, state);
  if (refusal !== null) return refusal;
  if (command.kind === 'CreateKey') {
    const { level, service, parent, wrappedBy, digest, commitment } = command;
    return accepted<KeyEvent>(
      { type: 'KeyCreated', data: { level, service, parent } },
      { type: 'KeyVersionWrapped', data: { version: 1, wrappedBy, digest, commitment } },
    );
  }
  if (state.status === 'absent') return refused('not_found', 'No such key.');
  switch (command.kind) {
    case 'RequestRotation':
    case 'CompleteRotation':
    case 'RefuseRotation':
    case 'ActivateVersion':
      return decideRotation(command, state);
    case 'DeactivateVersion':
    case 'CompromiseVersions':
    case 'ArchiveVersion':
    case 'RecoverVersion':
    case 'RequestDestruction':
    case 'CompleteDestruction':
    case 'RefuseDestruction':
    case 'RecordErased':
      return decideLifecycle(command, state);
    case 'RecordRewrap': {
      const { version, wrappedBy, digest } = command;
      return hangsLower(state, version, wrappedBy)
        ? accepted({ type: 'KeyVersionRewrapped', data: { version, wrappedBy, digest } })
        : accepted();
    }
    case 'ChangeRewrapping': {
      const now = state.rewrapping ?? UNPACED;
      const { paused = now.paused, perSecondMax = now.perSecondMax } = command;
      return now.paused === paused && now.perSecondMax === perSecondMax
        ? accepted()
        : accepted({ type: 'KeyRewrappingChanged', data: { paused, perSecondMax } });
    }
    case 'RecordExposure': {
      const { kind: _, ...data } = command;
      return accepted({ type: 'KeyExposureRecorded', data });
    }
    case 'RecordShredded': {
      if (state.status === 'revoked') return accepted();
      const named = state.versions
        .filter((each) => !isDestroyed(each))
        // Whoever waits for the destruction of one is told that it is done.
        .toSorted((a, b) => Number('destruction' in a) - Number('destruction' in b))
        .slice(2 - LIMITS.eventsPerAppendMax);
      return accepted<KeyEvent>(
        // Whoever waits for a rotation is told that there will be none.
        ...(state.status === 'rotating' ? [noRotation(state.operation, 'tenant_killed')] : []),
        ...named.map(({ version, destruction: operation }) => ({
          type: 'KeyVersionDestroyed' as const,
          data: { version, ...(operation !== undefined && { operation }) },
        })),
        { type: 'KeyRevoked', data: { revocation: command.revocation } },
      );
    }
    default:
      return never(command);
  }
}

export const keyDecider: Decider<KeyCommand, KeyState, KeyEvent> = {
  initial: { status: 'absent' },
  decide,
  evolve: evolveKey,
};
