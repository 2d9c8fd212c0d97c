import { LIMITS, never } from '@kcm/kernel';
import { accepted, refused, type Decider, type Decision } from '../decider.js';
import { firstRefusal } from '../policy.js';
import type { KeyCommand } from './key.commands.js';
import type { KeyEvent } from './key.events.js';
import { evolveKey } from './key.evolve.js';
import { keyPolicies } from './key.policies.js';
import type { ExistingKey, KeyState, KeyVersion } from './key.state.js';

const noRotation = (operation: string): KeyEvent => ({
  type: 'KeyRotationRefused',
  data: { operation, code: 'tenant_killed' },
});

/** A version never goes back to an earlier parent, nor comes back from its destruction. */
function hangsLower(
  { versions }: ExistingKey,
  version: number,
  wrappedBy: KeyVersion['wrappedBy'],
): boolean {
  const known = versions.find((each) => each.version === version);
  if (known === undefined || known.state === 'destroyed') return false;
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
    case 'RequestRotation': {
      if (state.status === 'rotating') return accepted();
      const { operation } = command;
      return accepted({ type: 'KeyRotationRequested', data: { from: state.current, operation } });
    }
    case 'CompleteRotation': {
      const { from, operation, wrappedBy, digest, commitment } = command;
      if (from < state.current) return accepted();
      const to = from + 1;
      return accepted<KeyEvent>(
        { type: 'KeyVersionWrapped', data: { version: to, wrappedBy, digest, commitment } },
        { type: 'KeyRotated', data: { from, to, operation } },
        { type: 'KeyVersionDeactivated', data: { version: from } },
      );
    }
    case 'RecordRewrap': {
      const { version, wrappedBy, digest } = command;
      return hangsLower(state, version, wrappedBy)
        ? accepted({ type: 'KeyVersionRewrapped', data: { version, wrappedBy, digest } })
        : accepted();
    }
    case 'RefuseRotation': {
      const { operation, code } = command;
      return state.status === 'rotating' && state.operation === operation
        ? accepted({ type: 'KeyRotationRefused', data: { operation, code } })
        : accepted();
    }
    case 'RecordShredded': {
      if (state.status === 'revoked') return accepted();
      const named = state.versions.slice(2 - LIMITS.eventsPerAppendMax);
      return accepted<KeyEvent>(
        // Whoever waits for a rotation is told that there will be none.
        ...(state.status === 'rotating' ? [noRotation(state.operation)] : []),
        ...named.map(({ version }) => ({
          type: 'KeyVersionDestroyed' as const,
          data: { version },
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
