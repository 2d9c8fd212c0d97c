import type { RegionEvent } from './region.events.js';

type Data<T extends RegionEvent['type']> = Extract<RegionEvent, { type: T }>['data'];
export type RegionCommand =
  | { readonly kind: 'InitializeRegion'; readonly region: Data<'RegionInitialized'> }
  | { readonly kind: 'RecordUnsealed'; readonly boot: string }
  /** `late`: asked before the ledger could take it; since then somebody may have unsealed. */
  | { readonly kind: 'RecordSealed'; readonly boot: string; readonly late?: boolean }
  /** `entry`: the newest of the keyring that the new shares open. */
  | {
      readonly kind: 'RecordRekeyed';
      readonly rekey: Data<'RegionRekeyed'>;
      readonly entry: number;
    }
  | { readonly kind: 'RecordKeyringRotated'; readonly setId: string; readonly entry: number }
  | { readonly kind: 'RecordToken'; readonly token: Data<'TokenIssued'> }
  | { readonly kind: 'RecordCertificate'; readonly certificate: Data<'CertificateIssued'> };
