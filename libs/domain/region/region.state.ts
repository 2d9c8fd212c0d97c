import type { RegionEvent } from './region.events.js';

type Initialized = Extract<RegionEvent, { type: 'RegionInitialized' }>['data'];
export type RegionState =
  | { readonly status: 'uninitialized' }
  | { readonly status: 'sealed'; readonly config: Initialized }
  | { readonly status: 'unsealed'; readonly config: Initialized; readonly boot: string };
