import type { RevocationEvent } from './revocation.events.js';

type Locked = Extract<RevocationEvent, { type: 'RevocationLocked' }>['data'];
export interface OpenedRevocation {
  readonly locked: Locked;
  /** `holder/boot` of those who acknowledged. */
  readonly acknowledged: ReadonlySet<string>;
  readonly receipts: readonly { readonly receipt: string; readonly kind: string }[];
}
export type RevocationState =
  | { readonly status: 'absent' }
  | ({ readonly status: 'locked' } & OpenedRevocation)
  | ({ readonly status: 'released' } & OpenedRevocation)
  | ({ readonly status: 'shredding'; readonly requestedBy: string } & OpenedRevocation)
  | ({ readonly status: 'shredded'; readonly requestedBy: string } & OpenedRevocation);
