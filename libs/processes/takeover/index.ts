import type { Processing } from '@kcm/domain';
import { parseStream } from '@kcm/kernel';
import { ownerOf, type Process } from '../process.js';

export interface TakeoverState {
  /** Edges that were taken over and whose keys are still to be marked. */
  readonly open: readonly {
    readonly edge: string;
    readonly since: string;
    readonly until: string;
    readonly processing: Processing;
    readonly operation: string;
  }[];
}

/**
 * An Edge that was taken over: each version that it held since then is marked compromised, and what
 * may have been exposed is recorded; `compromise` replaces them. Subject: the region.
 */
export const takeover: Process<TakeoverState> = {
  name: 'takeover',
  version: 1,
  handles: ['EdgeCompromised', 'EdgeExposureRecorded'],
  subjects: ownerOf,
  initial: () => ({ open: [] }),
  evolve({ open }, event) {
    switch (event.type) {
      case 'EdgeCompromised': {
        const edge = parseStream(event.stream).id ?? '';
        return { open: [...open, { edge, until: event.meta.occurredAt, ...event.data }] };
      }
      case 'EdgeExposureRecorded':
        return { open: open.filter(({ operation }) => operation !== event.data.operation) };
      default:
        return { open };
    }
  },
  todo: ({ open }) =>
    open.map((each) => ({
      id: `takeover:${each.operation}`,
      step: { kind: 'compromiseHeld', ...each },
    })),
};
