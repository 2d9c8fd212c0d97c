import type { RegionEvent, RegionState } from '@kcm/domain';
import { KcmError } from '@kcm/kernel';

/** What the ledger knows of a region's seal: as it was initialized and last rekeyed. */
export type SealConfig = Extract<RegionEvent, { type: 'RegionInitialized' }>['data'];
/** What tells the shares of one set from all others. */
export type ShareSetConfig = Pick<
  SealConfig,
  'seal' | 'setId' | 'shares' | 'threshold' | 'shareDigests'
>;
export type InitializedRegion = Exclude<RegionState, { status: 'uninitialized' }>;

/** @throws KcmError wrong_state */
export function initializedOf(state: RegionState): InitializedRegion {
  if (state.status === 'uninitialized')
    throw new KcmError('wrong_state', 'This region is not initialized yet.');
  return state;
}
