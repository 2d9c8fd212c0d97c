import type { ReceiptKind, RevocationEvent, ShredWord } from './revocation.events.js';

type Locked = Extract<RevocationEvent, { type: 'RevocationLocked' }>['data'];
type Acknowledged = Extract<RevocationEvent, { type: 'RevocationAcknowledged' }>['data'];

export type RevocationCommand =
  | ({ readonly kind: 'OpenRevocation' } & { readonly revocation: Locked })
  | ({ readonly kind: 'RecordAcknowledgement' } & { readonly acknowledgement: Acknowledged })
  /** Follows the access stream's LockReleased. */
  | { readonly kind: 'RecordReleased'; readonly releasedBy: string }
  /** Only of a kill, never by the subject who locked. */
  | { readonly kind: 'RequestShred'; readonly requestedBy: string }
  | {
      readonly kind: 'RecordShredded';
      readonly erasureKeys: number;
      readonly blobs: number;
      readonly confirmedAt: string;
      readonly word: ShredWord;
    }
  | {
      readonly kind: 'RecordReceipt';
      readonly receipt: string;
      readonly receiptKind: ReceiptKind;
      readonly digest: string;
    };
