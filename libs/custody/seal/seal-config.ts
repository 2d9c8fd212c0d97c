import type { RegionEvent } from '@kcm/domain';

/** What the ledger knows of a region's seal: the data of its RegionInitialized event. */
export type SealConfig = Extract<RegionEvent, { type: 'RegionInitialized' }>['data'];
