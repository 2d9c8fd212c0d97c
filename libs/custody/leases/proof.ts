import type { Secret } from '@kcm/crypto';
import { isConnected, keyRefusal, type RootKeyEntry, versionOf } from '@kcm/domain';
import {
  type Cause,
  type Code,
  Deadline,
  type LeaseClock,
  LIMITS,
  type Reading,
} from '@kcm/kernel';
import type { CoreView } from '../core-view.js';
import type { Recorded } from '../keys/hierarchy.js';
import type { KeyIdentity } from '../keys/key-identity.js';

/** One successful unwrap of the customer's root key. */
export interface Proof {
  readonly callId: string;
  readonly providerRequestId: string | null;
  readonly deadline: Deadline;
  /** When the next one is due if the tenant is used: 40–60 % of the time, monotonic ms. */
  readonly renewAt: number;
}
export interface ProofRefusal {
  readonly ok: false;
  /** `denied`: the customer said no. `indeterminate`: nothing was learnt. */
  readonly effect: 'denied' | 'indeterminate';
  readonly code: Code;
  readonly callId: string | null;
}
export type ProofResult = { readonly ok: true; readonly proof: Proof } | ProofRefusal;
export type L2Result = { readonly ok: true; readonly l2: Secret } | ProofRefusal;

export const unproven = (code: Code, callId: string | null = null): ProofRefusal => ({
  ok: false,
  effect: 'indeterminate',
  code,
  callId,
});
export const denied = (code: Code, callId: string | null = null): ProofRefusal => ({
  ok: false,
  effect: 'denied',
  code,
  callId,
});

export function proofOf(
  clock: LeaseClock,
  sent: Reading,
  leaseSeconds: number,
  renewFraction: number,
  call: { readonly callId: string; readonly providerRequestId: string | null },
): Proof {
  const ttlMs = leaseSeconds * 1000;
  return {
    callId: call.callId,
    providerRequestId: call.providerRequestId,
    deadline: new Deadline(clock, sent, ttlMs),
    renewAt: sent.monotonic + ttlMs * renewFraction,
  };
}

/** Why this version of the tenant's L2 is not to be opened, whatever the keystore says. */
export function l2Refusal(view: CoreView, tenant: string, version: number | null): Code | null {
  for (const state of view.keys(tenant).values()) {
    if (state.status === 'absent' || state.status === 'revoked' || state.level !== 'L2') continue;
    const known = versionOf(state, version ?? state.current);
    return known === null ? null : keyRefusal(known, 'process');
  }
  return null;
}

/** What an unwrap would open: the L2 version and the connected root key that wraps it. */
export interface ProofTarget {
  readonly identity: KeyIdentity;
  readonly recorded: Recorded;
  readonly rootKey: Extract<RootKeyEntry, { resolved: string }>;
}

/**
 * `version` null: the current one. null: no such L2, destroyed, or its root key is not connected.
 */
export function proofTarget(
  view: CoreView,
  tenant: string,
  version: number | null,
): ProofTarget | null {
  for (const [key, state] of view.keys(tenant)) {
    if (state.status === 'absent' || state.status === 'revoked' || state.level !== 'L2') continue;
    const wanted = version ?? state.current;
    const recorded = state.versions.find((one) => one.version === wanted);
    if (recorded === undefined || keyRefusal(recorded, 'process') !== null) return null;
    const rootKeys = view.rootKeys(tenant);
    const entry = rootKeys.status === 'some' ? rootKeys.keys.get(recorded.wrappedBy.id) : undefined;
    if (entry === undefined || !isConnected(entry)) return null;
    return { identity: { tenant, key, version: wanted }, recorded, rootKey: entry };
  }
  return null;
}

/**
 * Whether the answer for this target speaks of the tenant's root key as it is used now. The answer for
 * an earlier L2 version does where both hang from the same L1 version, unless its own blob is what is
 * wrong; else it opens that version or does not, and neither proves nor closes anything besides.
 */
export function speaksForTenant(
  view: CoreView,
  { identity, recorded }: ProofTarget,
  cause: Cause | null,
): boolean {
  const current = proofTarget(view, identity.tenant, null);
  if (current === null || current.identity.version === identity.version) return true;
  const { id, version } = current.recorded.wrappedBy;
  const same = recorded.wrappedBy.id === id && recorded.wrappedBy.version === version;
  return same && cause !== 'integrity';
}

/** The policy's lease time; the shortest there is for a tenant whose policy is not known. */
export function leaseSecondsOf(view: CoreView, tenant: string): number {
  const state = view.tenant(tenant);
  return state.status === 'absent' ? LIMITS.leaseSecondsMin : state.policy.leaseSeconds;
}
