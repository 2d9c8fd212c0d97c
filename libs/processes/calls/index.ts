import type { Recorded } from '@kcm/domain';
import type { StreamId } from '@kcm/kernel';
import { ownerOf, type Process } from '../process.js';

export interface CallsState {
  /** The stream of the boot that started last: its calls are under way, not lost. */
  readonly current: StreamId | null;
  /** Calls intended and not settled, by stream; a stream without any is left out. */
  readonly open: { readonly [stream: StreamId]: readonly string[] };
}

function withOpen(
  state: CallsState,
  stream: StreamId,
  change: (ids: readonly string[]) => readonly string[],
): CallsState {
  const { [stream]: before = [], ...others } = state.open;
  const after = change(before);
  return { ...state, open: after.length === 0 ? others : { ...others, [stream]: after } };
}

/**
 * Closes what a Core that died left open: a call of an earlier boot without an outcome is recorded
 * as `outcome unknown` by the boot that follows. Subject: the region.
 */
export const calls: Process<CallsState> = {
  name: 'calls',
  version: 1,
  handles: [
    'ProcessStarted',
    'KeystoreCallIntended',
    'KeystoreCallSucceeded',
    'KeystoreCallRefused',
    'KeystoreCallFailed',
    'KeystoreCallOutcomeUnknown',
  ],
  subjects: ownerOf,
  initial: () => ({ current: null, open: {} }),
  evolve(state, event: Recorded) {
    switch (event.type) {
      case 'ProcessStarted':
        return { ...state, current: event.stream };
      case 'KeystoreCallIntended':
        return withOpen(state, event.stream, (ids) => [...ids, event.data.callId]);
      case 'KeystoreCallSucceeded':
      case 'KeystoreCallRefused':
      case 'KeystoreCallFailed':
      case 'KeystoreCallOutcomeUnknown': {
        const { callId } = event.data;
        return withOpen(state, event.stream, (ids) => ids.filter((id) => id !== callId));
      }
      default:
        return state;
    }
  },
  todo: (state) =>
    (Object.entries(state.open) as [StreamId, readonly string[]][])
      .filter(([stream]) => stream !== state.current)
      .map(([stream, callIds]) => ({
        id: `close:${stream}`,
        step: { kind: 'closeCalls', stream, callIds },
      })),
};
