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
/** What keeps the MasterKey of a region that is opened by a keystore of its operator. */
export type SealKeystore = {
  readonly driver: string;
  /** The key's immutable id at its keystore. */
  readonly resolved: string;
  /** Counts from 1 up with each MasterKey; an older one's blob opens nothing any more. */
  readonly generation: number;
};
export type RegionEvent =
  | DomainEvent<
      'RegionInitialized',
      {
        readonly seal: 'shamir' | 'auto' | 'keystore';
        readonly setId: string;
        readonly shares: number;
        readonly threshold: number;
        /** SHA-256 (hex) of each share's text, by index − 1; empty for `auto`. */
        readonly shareDigests: readonly string[];
        readonly keys: RegionKeys;
        /** With `keystore` alone: then the shares open nothing, and authorise. */
        readonly keystore?: SealKeystore;
      }
    >
  /** Another MasterKey, and shares of its own: those of the set that it replaces end. */
  | DomainEvent<
      'RegionRekeyed',
      {
        readonly seal: 'shamir' | 'keystore';
        readonly setId: string;
        readonly shares: number;
        readonly threshold: number;
        readonly shareDigests: readonly string[];
        readonly keystore?: SealKeystore;
        /** The set of shares that counts no more. */
        readonly replaces: string;
      }
    >
  /** The barrier writes with this entry of the keyring from now on. */
  | DomainEvent<'RegionKeyringRotated', { readonly entry: number }>
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
