import { protectingClosedBy, tenantClosedBy } from '@kcm/custody';
import type { Clock } from '@kcm/kernel';
import type { Metrics } from '@kcm/platform';
import { isOverdueRotation } from '@kcm/processes';
import type { CoreParts } from '../composition.js';
import { enrolledEdges } from '../health/index.js';

/** What is read when somebody asks. Figures of all tenants together: no tenant has a label. */
export function watchCoreFigures(metrics: Metrics, parts: CoreParts, clock: Clock): void {
  metrics.gauge('kcm_sealed', '1 while the region is sealed.', () => Number(parts.seals.sealed));
  metrics.gauge(
    'kcm_acts_unrecorded',
    'Locks, seals and words of keystores that act and are not recorded.',
    () => parts.recording.pending,
  );
  metrics.gauge(
    'kcm_erasure_copies',
    'Copies of the erasure store that take part.',
    () => parts.erasureKeeper.copies,
  );
  watchProcesses(metrics, parts);
  watchLeases(metrics, parts);
  watchEdges(metrics, parts, clock);
}

function watchProcesses(metrics: Metrics, { host }: CoreParts): void {
  const oldest = () => {
    const seconds = new Map(host.names().map((process) => [process, 0]));
    for (const { process, dueMs } of host.standing())
      seconds.set(process, Math.max(seconds.get(process) ?? 0, dueMs / 1000));
    return [...seconds].map(([process, age]) => [age, { process }] as const);
  };
  const standing = () => {
    const counts = new Map(host.names().map((process) => [process, 0]));
    for (const { process } of host.standing()) counts.set(process, (counts.get(process) ?? 0) + 1);
    return [...counts].map(([process, count]) => [count, { process }] as const);
  };
  metrics.gauge(
    'kcm_rotations_overdue',
    'Rotations by policy whose time has passed, or that were refused and are asked for again.',
    () => host.standing().filter(isOverdueRotation).length,
  );
  metrics.gauge('kcm_process_items', 'Steps on the list of each process.', standing);
  metrics.gauge('kcm_process_item_age_seconds', 'How long the oldest step has been due.', oldest);
}

function watchLeases(metrics: Metrics, { states, core }: CoreParts): void {
  metrics.gauge('kcm_tenants', 'Tenants by what limits their access (open: nothing).', () => {
    const counts = new Map<string, number>([['open', 0]]);
    for (const tenant of states.tenants()) {
      const lock = protectingClosedBy(states.access(tenant), null);
      const access = lock ?? tenantClosedBy(states.tenant(tenant)) ?? 'open';
      counts.set(access, (counts.get(access) ?? 0) + 1);
    }
    return [...counts].map(([access, count]) => [count, { access }]);
  });
  const standing = () => core.keys.authority.standing();
  const seconds = (ms: number | null) => (ms === null ? null : ms / 1000);
  metrics.gauge(
    'kcm_proofs',
    'Tenants with a live proof of their root key.',
    () => standing().live,
  );
  metrics.gauge('kcm_proof_age_seconds', 'Age of the oldest live proof.', () =>
    seconds(standing().oldestAgeMs),
  );
  metrics.gauge('kcm_proof_remaining_seconds', 'What is left of the proof that ends first.', () =>
    seconds(standing().leastRemainingMs),
  );
  metrics.gauge('kcm_tenants_unproved', 'Tenants whose last call proved nothing, by code.', () =>
    [...standing().unproved].map(([code, count]) => [count, { code }]),
  );
  metrics.gauge(
    'kcm_keystores_suspected',
    'Keystores whose denials may be our own fault.',
    () => standing().suspected,
  );
}

function watchEdges(metrics: Metrics, { states, core }: CoreParts, clock: Clock): void {
  metrics.gauge('kcm_edges_enrolled', 'Enrolled Edges whose certificate has not run out.', () =>
    enrolledEdges(states, clock),
  );
  metrics.gauge(
    'kcm_edges_connected',
    'Edges that can be told of a lock at once.',
    () => core.edgesConnected,
  );
}
