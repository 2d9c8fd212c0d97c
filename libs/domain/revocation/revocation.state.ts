import type { RevocationEvent } from './revocation.events.js';

type Locked = Extract<RevocationEvent, { type: 'RevocationLocked' }>['data'];
interface Opened {
  readonly locked: Locked;
  /** `holder/boot` of those who acknowledged. */
  readonly acknowledged: ReadonlySet<string>;
  readonly receipts: readonly { readonly receipt: string; readonly kind: string }[];
}
export type RevocationState =
  | { readonly status: 'absent' }
  | ({ readonly status: 'locked' } & Opened)
  | ({ readonly status: 'released' } & Opened)
  | ({ readonly status: 'shredding'; readonly requestedBy: string } & Opened)
  | ({ readonly status: 'shredded'; readonly requestedBy: string } & Opened);
