import type { DomainEvent } from '../decider.js';

/** `claim-{sha256 hex of keystore + resolved id}`: one tenant a root key, across tenants. */
export type ClaimEvent = DomainEvent<
  'RootKeyClaimed',
  { readonly tenant: string; readonly rootKeyId: string }
>;
