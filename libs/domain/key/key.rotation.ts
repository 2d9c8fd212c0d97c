import { type Code, never } from '@kcm/kernel';
import { accepted, refused, type Decision } from '../decider.js';
import type { KeyCommand } from './key.commands.js';
import type { KeyEvent, RotationCause } from './key.events.js';
import {
  type ExistingKey,
  type KeyState,
  nextVersion,
  preparedVersion,
  versionOf,
} from './key.state.js';
import { KEY_MATRIX, keyRefusal, standingOf } from './key.states.js';

type Existing = Exclude<KeyState, { status: 'absent' }>;
type Rotation = Extract<
  KeyCommand,
  { kind: 'RequestRotation' | 'CompleteRotation' | 'RefuseRotation' | 'ActivateVersion' }
>;

/** Whether nobody asked for it: it can wait, and comes again. */
export const byItself = (cause: RotationCause | undefined): boolean =>
  cause !== undefined && cause !== 'compromise';

export const noRotation = (operation: string, code: Code): KeyEvent => ({
  type: 'KeyRotationRefused',
  data: { operation, code },
});

/** New use moves to `to`; what was current is deactivated, unless it ended otherwise before. */
function moved(key: ExistingKey, to: number, operation: string): readonly KeyEvent[] {
  const from = key.current;
  const events: KeyEvent[] = [{ type: 'KeyRotated', data: { from, to, operation } }];
  if (versionOf(key, from)?.state === 'active')
    events.push({ type: 'KeyVersionDeactivated', data: { version: from } });
  return events;
}

const activated = (key: ExistingKey, version: number, operation: string): Decision<KeyEvent> =>
  accepted<KeyEvent>(
    { type: 'KeyVersionActivated', data: { version } },
    ...moved(key, version, operation),
  );

function request(
  { operation, cause, prepare }: Extract<Rotation, { kind: 'RequestRotation' }>,
  state: Existing,
): Decision<KeyEvent> {
  if (state.status === 'rotating') return accepted();
  const ready = preparedVersion(state);
  if (ready !== null)
    return prepare === true
      ? refused('wrong_state', `Version ${ready.version} is ready: activate or destroy it first.`)
      : activated(state, ready.version, operation);
  const current = versionOf(state, state.current);
  // Somebody took the key out of use: a policy does not put it back.
  const aside = current !== null && keyRefusal(current, 'protect') !== null;
  if (aside && byItself(cause)) return accepted();
  return accepted({
    type: 'KeyRotationRequested',
    data: { from: state.current, operation, ...(cause && { cause }), ...(prepare && { prepare }) },
  });
}

function complete(
  command: Extract<Rotation, { kind: 'CompleteRotation' }>,
  state: Existing,
): Decision<KeyEvent> {
  const { from, operation, wrappedBy, digest, commitment } = command;
  if (from < state.current) return accepted();
  const version = nextVersion(state);
  const wrapped = { version, wrappedBy, digest, commitment };
  return state.status === 'rotating' && state.prepare === true
    ? accepted<KeyEvent>(
        { type: 'KeyVersionWrapped', data: { ...wrapped, preActive: true } },
        { type: 'KeyVersionPrepared', data: { version, operation } },
      )
    : accepted<KeyEvent>(
        { type: 'KeyVersionWrapped', data: wrapped },
        ...moved(state, version, operation),
      );
}

export function decideRotation(command: Rotation, state: Existing): Decision<KeyEvent> {
  switch (command.kind) {
    case 'RequestRotation':
      return request(command, state);
    case 'CompleteRotation':
      return complete(command, state);
    case 'RefuseRotation': {
      const { operation, code } = command;
      return state.status === 'rotating' && state.operation === operation
        ? accepted(noRotation(operation, code))
        : accepted();
    }
    case 'ActivateVersion': {
      const version = versionOf(state, command.version)!;
      return KEY_MATRIX[standingOf(version)].activate === 'done'
        ? accepted()
        : activated(state, command.version, command.operation);
    }
    default:
      return never(command);
  }
}
