import type { Code, Step } from '@kcm/kernel';
import type { Reference } from './rootkeys.events.js';

interface Requested {
  readonly rootKeyId: string;
  readonly keystore: string;
  readonly reference: Reference;
  readonly credentialsDigest: string | null;
  readonly operation: string;
}
export type RootKeyEntry =
  | ({ readonly status: 'requested' } & Requested)
  | ({ readonly status: 'refused'; readonly step: Step; readonly code: Code } & Requested)
  | ({
      /** What the keystore last said of it. */
      readonly status: 'enabled' | 'denied' | 'indeterminate';
      readonly resolved: string;
      readonly keyVersion: string;
      readonly lastCode: Code | null;
    } & Requested);
export type RootKeysState =
  | { readonly status: 'none' }
  | {
      readonly status: 'some';
      readonly keys: ReadonlyMap<string, RootKeyEntry>;
      readonly primary: string | null;
      /** Probes asked for and not yet recorded: operation → rootKeyId. */
      readonly probes: ReadonlyMap<string, string>;
    };
