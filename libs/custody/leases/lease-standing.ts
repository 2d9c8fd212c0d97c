import type { Code } from '@kcm/kernel';
import type { TrackedTenant } from './tracked-tenant.js';

/** How the proofs of all tenants stand: figures, and nobody's name. */
export interface LeaseStanding {
  /** Tenants with a live proof. */
  readonly live: number;
  /** Of the live proofs; null when there is none. Milliseconds. */
  readonly oldestAgeMs: number | null;
  readonly leastRemainingMs: number | null;
  /** How many tenants' last call proved nothing, by its code. */
  readonly unproved: ReadonlyMap<Code, number>;
  /** Providers whose many denials are taken for our own fault. */
  readonly suspected: number;
}

export function leaseStanding(
  tenants: Iterable<TrackedTenant>,
  remainingMs: (tracked: TrackedTenant) => number,
  suspected: number,
): LeaseStanding {
  const unproved = new Map<Code, number>();
  let live = 0;
  let oldestAgeMs: number | null = null;
  let leastRemainingMs: number | null = null;
  for (const tracked of tenants) {
    const { failures, lastCode, proof } = tracked;
    if (failures > 0 && lastCode !== null)
      unproved.set(lastCode, (unproved.get(lastCode) ?? 0) + 1);
    const left = remainingMs(tracked);
    if (proof === null || left === 0) continue;
    live += 1;
    oldestAgeMs = Math.max(oldestAgeMs ?? 0, proof.deadline.ageMs());
    leastRemainingMs = Math.min(leastRemainingMs ?? left, left);
  }
  return { live, oldestAgeMs, leastRemainingMs, unproved, suspected };
}
