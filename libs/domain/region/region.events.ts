import type { DomainEvent } from '../decider.js';

/** Public keys that others pin: base64url raw keys, and the CA in PEM. */
export type RegionKeys = {
  /** Ed25519, signs receipts. */
  readonly signing: string;
  /** Ed25519, signs access tokens. */
  readonly issuer: string;
  /** X25519, HPKE recipient of keystore credentials. */
  readonly transport: string;
  readonly ca: string;
};
export type RegionEvent =
  | DomainEvent<
      'RegionInitialized',
      {
        readonly seal: 'shamir' | 'auto';
        readonly setId: string;
        readonly shares: number;
        readonly threshold: number;
        /** SHA-256 (hex) of each share's text, by index − 1; empty for `auto`. */
        readonly shareDigests: readonly string[];
        readonly keys: RegionKeys;
      }
    >
  | DomainEvent<'RegionUnsealed', { readonly boot: string }>
  | DomainEvent<'RegionSealed', { readonly boot: string }>
  | DomainEvent<
      'TokenIssued',
      {
        readonly jti: string;
        readonly tenant: string | null;
        /** Opaque subject id. */
        readonly subject: string;
        readonly roles: readonly string[];
        readonly expiresAt: string;
      }
    >
  | DomainEvent<
      'CertificateIssued',
      {
        readonly san: string;
        readonly certificateSha256: string;
        readonly notAfter: string;
      }
    >;
