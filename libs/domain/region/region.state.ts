import type { RegionEvent } from './region.events.js';

type Initialized = Extract<RegionEvent, { type: 'RegionInitialized' }>['data'];
interface Known {
  /** As it was initialized, and what opens it as the last rekey left it. */
  readonly config: Initialized;
  /** Sets of shares that a rekey ended; absent before the first. */
  readonly retired?: readonly string[];
  /** Newest entry of the keyring; absent: the first. */
  readonly entry?: number;
}
export type RegionState =
  | { readonly status: 'uninitialized' }
  | (Known & { readonly status: 'sealed' })
  | (Known & {
      readonly status: 'unsealed';
      /** The last process that unsealed. */
      readonly boot: string;
      /** Those before it that no seal ended: some may run. The newest few; absent: none. */
      readonly before?: readonly string[];
    });
