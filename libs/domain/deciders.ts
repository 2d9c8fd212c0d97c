import { accessDecider } from './access/access.decide.js';
import { claimDecider } from './claim/claim.decide.js';
import { edgeDecider } from './edge/edge.decide.js';
import { keyDecider } from './key/key.decide.js';
import { regionDecider } from './region/region.decide.js';
import { revocationDecider } from './revocation/revocation.decide.js';
import { rootkeysDecider } from './rootkeys/rootkeys.decide.js';
import { tenantDecider } from './tenant/tenant.decide.js';
import type { Decider } from './decider.js';

/** The decider of each category of stream; `calls` and `refused` have a single writer and none. */
export const decidersByCategory = {
  tenant: tenantDecider,
  access: accessDecider,
  rootkeys: rootkeysDecider,
  claim: claimDecider,
  key: keyDecider,
  revocation: revocationDecider,
  edge: edgeDecider,
  region: regionDecider,
} as const;

export type DecidedCategory = keyof typeof decidersByCategory;
type Parts<K extends DecidedCategory> =
  (typeof decidersByCategory)[K] extends Decider<infer C, infer S, infer E> ? [C, S, E] : never;
export type CommandOf<K extends DecidedCategory> = Parts<K>[0];
export type StateOf<K extends DecidedCategory> = Parts<K>[1];
export type EventOf<K extends DecidedCategory> = Parts<K>[2];
