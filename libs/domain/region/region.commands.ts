import type { RegionEvent } from './region.events.js';

type Data<T extends RegionEvent['type']> = Extract<RegionEvent, { type: T }>['data'];
export type RegionCommand =
  | { readonly kind: 'InitializeRegion'; readonly region: Data<'RegionInitialized'> }
  | { readonly kind: 'RecordUnsealed'; readonly boot: string }
  | { readonly kind: 'RecordSealed'; readonly boot: string }
  | { readonly kind: 'RecordToken'; readonly token: Data<'TokenIssued'> }
  | { readonly kind: 'RecordCertificate'; readonly certificate: Data<'CertificateIssued'> };
