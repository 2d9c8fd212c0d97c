import { never } from '@kcm/kernel';
import { accepted, type Decision } from '../decider.js';
import type { KeyCommand } from './key.commands.js';
import type { KeyEvent } from './key.events.js';
import { type KeyState, type KeyVersion, versionOf } from './key.state.js';
import { isDestroyed, KEY_MATRIX, type KeyOperation, standingOf } from './key.states.js';

type Existing = Exclude<KeyState, { status: 'absent' }>;
type Lifecycle = Extract<
  KeyCommand,
  {
    kind:
      | 'DeactivateVersion'
      | 'CompromiseVersions'
      | 'ArchiveVersion'
      | 'RecoverVersion'
      | 'RequestDestruction'
      | 'CompleteDestruction'
      | 'RefuseDestruction'
      | 'RecordErased';
  }
>;

/** So already: nothing happens. */
const isDone = (version: KeyVersion, operation: KeyOperation): boolean =>
  KEY_MATRIX[standingOf(version)][operation] === 'done';

/**
 * One version's way through its states. That each step may be taken is in the policies
 * (`KEY_MATRIX`); a step that was taken before changes nothing.
 */
export function decideLifecycle(command: Lifecycle, state: Existing): Decision<KeyEvent> {
  if (command.kind === 'CompromiseVersions') return compromise(command, state);
  const version = command.version ?? state.current;
  const known = versionOf(state, version)!;
  switch (command.kind) {
    case 'DeactivateVersion':
      return isDone(known, 'deactivate')
        ? accepted()
        : accepted({ type: 'KeyVersionDeactivated', data: { version } });
    case 'ArchiveVersion':
      return isDone(known, 'archive')
        ? accepted()
        : accepted({ type: 'KeyVersionArchived', data: { version } });
    case 'RecoverVersion':
      return accepted({ type: 'KeyVersionRecovered', data: { version } });
    case 'RequestDestruction': {
      const { kind: _, ...data } = command;
      return isDone(known, 'destroy') || known.destruction === data.operation
        ? accepted()
        : accepted({ type: 'KeyDestructionRequested', data });
    }
    case 'CompleteDestruction': {
      const { operation } = command;
      return known.destruction === operation
        ? accepted({ type: 'KeyVersionDestroyed', data: { version, operation } })
        : accepted();
    }
    case 'RefuseDestruction': {
      const { kind: _, ...data } = command;
      return known.destruction === data.operation
        ? accepted({ type: 'KeyDestructionRefused', data })
        : accepted();
    }
    case 'RecordErased':
      return known.erased === true || !isDestroyed(known)
        ? accepted()
        : accepted({ type: 'KeyVersionErased', data: { version, blobs: command.blobs } });
    default:
      return never(command);
  }
}

function compromise(
  command: Extract<Lifecycle, { kind: 'CompromiseVersions' }>,
  state: Existing,
): Decision<KeyEvent> {
  const { versions: asked, since, by } = command;
  // Nobody is given an L2: what hangs from it opens for Core, until it is wrapped anew.
  const processing = state.level === 'L2' ? 'allowed' : command.processing;
  const isSame = (each: KeyVersion) =>
    each.state === 'compromised' &&
    (by === undefined
      ? each.compromisedSince === since && each.processing === processing
      : each.processing === 'refused' || processing === 'allowed');
  const named = state.versions.filter(
    (each) =>
      (asked === null || asked.includes(each.version)) &&
      !isDone(each, 'compromise') &&
      !isSame(each),
  );
  if (named.length === 0) return accepted();
  const versions = named.map(({ version }) => version);
  return accepted({
    type: 'KeyCompromised',
    data: { versions, since, processing, ...(by !== undefined && { by }) },
  });
}
