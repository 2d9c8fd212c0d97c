import { fraction, fullJitterMs, LIMITS, type Random, type Scheduler } from '@kcm/kernel';
import { closedByOthers, isProviderDenied } from './access-gate.js';
import type { CoreView } from '../core-view.js';
import { proofTarget } from './proof.js';
import type { TrackedTenant } from './tracked-tenant.js';

type Purpose = 'lease' | 'idle' | 'probe';
/** Full jitter may say "now"; a keystore that refused is left alone for at least this long. */
const PROBE_FLOOR_MS = 1_000;

export interface ProbeRoundsDeps {
  readonly view: CoreView;
  readonly scheduler: Scheduler;
  readonly random: Random;
}

/**
 * When a tenant's root key is asked without anybody waiting: to renew a proof that is used, every
 * 15 minutes while idle, and soon after a denial. One plan a tenant.
 */
export class ProbeRounds {
  constructor(
    private readonly deps: ProbeRoundsDeps,
    /** Starts the call; not called for a tenant that was forgotten. */
    private readonly ask: (tracked: TrackedTenant, purpose: Purpose) => void,
  ) {}

  renew(tracked: TrackedTenant, ms: number): void {
    this.#plan(tracked, Math.max(0, ms), 'lease');
  }

  idle(tracked: TrackedTenant, ms: number = LIMITS.idleProbeMs): void {
    this.#plan(tracked, ms, 'idle');
  }

  /** After a denial: within 5 s first, then rising to 60 s. */
  soon(tracked: TrackedTenant): void {
    const { deniedProbeMsMin: min, deniedProbeMsMax: max } = LIMITS;
    const ms = fullJitterMs(this.deps.random, tracked.probes, min, max);
    tracked.probes += 1;
    this.#plan(tracked, Math.max(ms, PROBE_FLOOR_MS), 'probe');
  }

  /** Takes a tenant in, leaving alone what is planned for it already. */
  watch(tracked: TrackedTenant): void {
    const denied = isProviderDenied(this.deps.view.access(tracked.tenant));
    if (denied && !tracked.waiting('probe')) this.soon(tracked);
    if (!denied && !tracked.waiting(null))
      this.idle(tracked, fraction(this.deps.random) * LIMITS.idleProbeMs);
  }

  #plan(tracked: TrackedTenant, ms: number, purpose: Purpose): void {
    const cancel = this.deps.scheduler.after(ms, () => {
      tracked.due();
      this.#due(tracked, purpose);
    });
    tracked.plan(purpose, cancel);
  }

  #due(tracked: TrackedTenant, purpose: Purpose): void {
    const { view } = this.deps;
    const access = view.access(tracked.tenant);
    if (access.status === 'killed') return;
    const closed = closedByOthers(access) && !isProviderDenied(access);
    const unused = purpose === 'lease' && !tracked.used;
    const nothingToAsk = proofTarget(view, tracked.tenant, null) === null;
    if (closed || unused || nothingToAsk) this.idle(tracked);
    else this.ask(tracked, purpose);
  }
}
