import type { Secret } from '@kcm/crypto';
import {
  type Clock,
  type Code,
  fraction,
  fullJitterMs,
  type LeaseClock,
  LIMITS,
  type Random,
} from '@kcm/kernel';
import { closedBy, closedByOthers, isProviderDenied } from './access-gate.js';
import type { AccessRecorder } from './access-recorder.js';
import type { CoreView } from '../core-view.js';
import type { KeyMemory } from '../keys/key-memory.js';
import { type Called, type CallRefused, providerOf } from '../calls/keystore-calls.js';
import {
  denied,
  leaseSecondsOf,
  proofOf,
  type ProofRefusal,
  type ProofResult,
  type ProofTarget,
  speaksForTenant,
  unproven,
} from './proof.js';
import type { ProbeRounds } from './probe-rounds.js';
import type { SelfSuspicion } from './self-suspicion.js';
import type { TrackedTenant } from './tracked-tenant.js';

export interface VerdictDeps {
  readonly view: CoreView;
  readonly memory: KeyMemory;
  readonly recorder: Pick<AccessRecorder, 'denied' | 'indeterminate' | 'restored'>;
  readonly clock: Clock;
  readonly leaseClock: LeaseClock;
  readonly random: Random;
}
/** Access was closed by the customer's keystore just now; perhaps not recorded yet. */
export type ClosedListener = (tenant: string, code: Code, traceparent?: string) => void;

/** What the answer of a keystore means for the tenant: proof, its end, or nothing. */
export class Verdicts {
  constructor(
    private readonly deps: VerdictDeps,
    private readonly suspicion: SelfSuspicion,
    private readonly rounds: ProbeRounds,
    private readonly authority: {
      readonly live: (tenant: string) => boolean;
      readonly closed: ClosedListener;
      readonly proved: (tenant: string) => void;
    },
  ) {}

  /** Of an answer that still counts: nothing was closed while it was on its way. */
  on(tracked: TrackedTenant, target: ProofTarget, called: Called<Secret>): ProofResult {
    const cause = called.ok ? null : called.cause;
    if (!speaksForTenant(this.deps.view, target, cause))
      return this.#aside(tracked, target, called);
    if (called.ok) return this.#proved(tracked, target, called);
    return this.#refused(tracked, target, called);
  }

  /** An earlier L2 version that speaks for itself alone opens under the proof that there is. */
  #aside(tracked: TrackedTenant, target: ProofTarget, called: Called<Secret>): ProofResult {
    const { callId } = called;
    if (!called.ok)
      return called.cause === 'denied'
        ? denied(called.code, callId)
        : unproven(called.code, callId);
    const { tenant, proof } = tracked;
    if (
      proof === null ||
      !this.authority.live(tenant) ||
      closedByOthers(this.deps.view.access(tenant))
    ) {
      called.value.dispose();
      return unproven('lease_expired', callId);
    }
    this.deps.memory.putL2(tenant, target.identity.version, called.value);
    return { ok: true, proof };
  }

  #proved(
    tracked: TrackedTenant,
    target: ProofTarget,
    called: Extract<Called<Secret>, { ok: true }>,
  ): ProofResult {
    const { view, memory, leaseClock, recorder, random } = this.deps;
    const { tenant } = tracked;
    const { callId, providerRequestId, traceparent, sent, value } = called;
    const access = view.access(tenant);
    const { rootKeyId, status } = target.rootKey;
    this.suspicion.proved(providerOf(target.rootKey), tenant);
    const wasDenied = tracked.denied;
    if (wasDenied !== null || status !== 'enabled' || isProviderDenied(access))
      recorder.restored(
        tenant,
        { rootKeyId, callId, providerRequestId },
        () => {
          // A denial that came after this success stands.
          if (tracked.denied === wasDenied) tracked.denied = null;
        },
        traceparent,
      );
    tracked.succeeded();
    if (closedByOthers(access)) {
      value.dispose();
      this.rounds.idle(tracked);
      return denied(closedBy(access, null)!, callId);
    }
    memory.putL2(tenant, target.identity.version, value);
    const seconds = leaseSecondsOf(view, tenant);
    const proof = proofOf(leaseClock, sent, seconds, 0.4 + 0.2 * fraction(random), called);
    const known = tracked.proof;
    if (known === null || known.deadline.since.monotonic < sent.monotonic) tracked.proof = proof;
    this.rounds.renew(tracked, proof.renewAt - this.deps.clock.monotonicMs());
    this.authority.proved(tenant);
    return { ok: true, proof };
  }

  #refused(tracked: TrackedTenant, target: ProofTarget, refusal: CallRefused): ProofRefusal {
    const { cause, code, callId, providerRequestId, traceparent } = refusal;
    const { recorder, view, clock, random } = this.deps;
    const { tenant } = tracked;
    const { rootKeyId } = target.rootKey;
    const seen = callId === null ? null : { rootKeyId, callId, providerRequestId };
    if (cause === 'denied' && seen !== null && !this.#suspected(tenant, target)) {
      this.#close(tracked, { code, callId }, traceparent);
      recorder.denied(tenant, seen, code, traceparent);
      this.rounds.soon(tracked);
      return denied(code, callId);
    }
    const { retryMsMin, retryMsMax } = LIMITS;
    const backoff = fullJitterMs(random, tracked.failures, retryMsMin, retryMsMax);
    tracked.failed(code, clock.monotonicMs() + backoff);
    if (cause !== 'integrity' && seen !== null && !tracked.indeterminate) {
      tracked.indeterminate = true;
      recorder.indeterminate(tenant, seen, code, traceparent);
    }
    if (isProviderDenied(view.access(tenant)) || tracked.denied !== null) this.rounds.soon(tracked);
    else if (tracked.used && this.authority.live(tenant) && cause !== 'integrity')
      this.rounds.renew(tracked, backoff);
    else this.rounds.idle(tracked);
    return unproven(code, callId);
  }

  /** First the keys, then whoever must hear of it, then the record. */
  #close(
    tracked: TrackedTenant,
    denial: NonNullable<TrackedTenant['denied']>,
    traceparent?: string,
  ): void {
    this.deps.memory.drop(tracked.tenant, null);
    tracked.lapse();
    const first = tracked.denied === null;
    tracked.denied = denial;
    if (first) this.authority.closed(tracked.tenant, denial.code, traceparent);
  }

  #suspected(tenant: string, { rootKey }: ProofTarget): boolean {
    return this.suspicion.denied(providerOf(rootKey), tenant, this.deps.clock.monotonicMs());
  }
}
