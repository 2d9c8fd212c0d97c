import type { Secret } from '@kcm/crypto';
import {
  type Clock,
  type Code,
  fraction,
  fullJitterMs,
  type LeaseClock,
  LIMITS,
  type Random,
  type Scheduler,
} from '@kcm/kernel';
import { closedBy, closedByOthers, isProviderDenied } from './access-gate.js';
import type { AccessRecorder } from './access-recorder.js';
import type { CoreView } from '../core-view.js';
import type { CallPurpose } from '../calls/journal.js';
import type { KeyMemory } from '../keys/key-memory.js';
import { type LeaseStanding, leaseStanding } from './lease-standing.js';
import { type Called, type CallRefused, providerOf } from '../calls/keystore-calls.js';
import {
  denied,
  type L2Result,
  leaseSecondsOf,
  proofOf,
  type ProofRefusal,
  type ProofResult,
  type ProofTarget,
  proofTarget,
  speaksForTenant,
  unproven,
} from './proof.js';
import { ProbeRounds } from './probe-rounds.js';
import { SelfSuspicion } from './self-suspicion.js';
import { TrackedTenant } from './tracked-tenant.js';
import { type UnwrapDeps, unwrapL2 } from '../keys/unwrap-l2.js';

export interface LeaseAuthorityDeps extends UnwrapDeps {
  readonly view: CoreView;
  readonly memory: KeyMemory;
  readonly recorder: Pick<AccessRecorder, 'denied' | 'indeterminate' | 'restored'>;
  readonly clock: Clock;
  readonly leaseClock: LeaseClock;
  readonly scheduler: Scheduler;
  readonly random: Random;
}
/** Access was closed by the customer's keystore just now; perhaps not recorded yet. */
export type ClosedListener = (tenant: string, code: Code, traceparent?: string) => void;

/**
 * A lease is proof with an end (architecture §2). Proof is a successful unwrap of the customer's
 * root key, and counts from the time at which Core sent it; only a new one moves a deadline. It
 * starts closed (sealed).
 */
export class LeaseAuthority {
  #tenants = new Map<string, TrackedTenant>();
  readonly #suspicion: SelfSuspicion;
  readonly #rounds: ProbeRounds;
  readonly #listeners = new Set<ClosedListener>();
  #open = false;
  #stopTicking: () => void = () => {};

  constructor(private readonly deps: LeaseAuthorityDeps) {
    this.#suspicion = new SelfSuspicion(deps.view);
    this.#rounds = new ProbeRounds(deps, (tracked, purpose) => void this.#fly(tracked, purpose));
  }

  /** After the unseal: the ticker runs, idle tenants are probed, denied ones soon. */
  start(): void {
    if (this.#open) return;
    this.#open = true;
    this.deps.leaseClock.start();
    this.#tick();
    for (const tenant of this.deps.view.tenants()) this.watch(tenant);
  }

  /** Seal, stop or replacement: every key is filled with zeros and nothing is proved any more. */
  dropAll(): void {
    this.#open = false;
    this.#stopTicking();
    for (const tracked of this.#tenants.values()) tracked.forget();
    this.#tenants = new Map();
    this.deps.memory.dropAll();
    this.deps.rootKeys.dropAll();
  }

  onClosed(listener: ClosedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A proof with at least one whole second left, from memory or by a new unwrap. */
  async hold(tenant: string, traceparent?: string): Promise<ProofResult> {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      if (!this.#open) return unproven('sealed');
      const tracked = this.#track(tenant);
      tracked.used = true;
      if (tracked.denied !== null) return denied(tracked.denied.code, tracked.denied.callId);
      const now = this.deps.clock.monotonicMs();
      if (this.remainingSeconds(tenant) >= 1) {
        const proof = tracked.proof!;
        if (now >= proof.renewAt && now >= tracked.notBefore) void this.#fly(tracked, 'lease');
        return { ok: true, proof };
      }
      if (now < tracked.notBefore) return unproven(tracked.lastCode ?? 'lease_expired');
      const result = await this.#soon(tracked, null, traceparent);
      if (!result.ok) return result;
      tracked.used = true;
    }
    return unproven('lease_expired');
  }

  /** Whole seconds of proof left, floored; 0 when there is none. */
  remainingSeconds(tenant: string): number {
    return Math.floor(this.#remainingMs(this.#tenants.get(tenant)) / 1000);
  }

  live(tenant: string): boolean {
    return this.#open && this.#remainingMs(this.#tenants.get(tenant)) > 0;
  }

  standing(): LeaseStanding {
    const left = (tracked: TrackedTenant): number => this.#remainingMs(tracked);
    return leaseStanding(this.#tenants.values(), left, this.#suspicion.providers);
  }

  /** An L2 version under a live proof; lent, never to be disposed of by the caller. */
  async l2(tenant: string, version: number, traceparent?: string): Promise<L2Result> {
    const held = await this.hold(tenant, traceparent);
    if (!held.ok) return held;
    const known = this.deps.memory.l2(tenant, version);
    if (known !== null) return { ok: true, l2: known };
    const opened = await this.#soon(this.#track(tenant), version, traceparent);
    if (!opened.ok) return opened;
    const l2 = this.deps.memory.l2(tenant, version);
    return l2 === null ? unproven('lease_expired') : { ok: true, l2 };
  }

  /** Fills with zeros what is in memory; `service` null: all of the tenant, its proof included. */
  dropTenant(tenant: string, service: string | null): number {
    const dropped = this.deps.memory.drop(tenant, service);
    if (service === null) this.#tenants.get(tenant)?.lapse();
    return dropped;
  }

  /** Proves again at once, outside any back-off: after a probe that went well. */
  async reprove(tenant: string): Promise<ProofResult> {
    return this.#open ? this.#fly(this.#track(tenant), 'probe') : unproven('sealed');
  }

  /** Takes a tenant into the rounds of probes. */
  watch(tenant: string): void {
    if (this.#open) this.#rounds.watch(this.#track(tenant));
  }

  #track(tenant: string): TrackedTenant {
    let tracked = this.#tenants.get(tenant);
    if (tracked === undefined) {
      tracked = new TrackedTenant(tenant);
      this.#tenants.set(tenant, tracked);
    }
    return tracked;
  }

  #remainingMs(tracked: TrackedTenant | undefined): number {
    if (tracked === undefined || tracked.proof === null) return 0;
    const { deadline } = tracked.proof;
    deadline.shorten(leaseSecondsOf(this.deps.view, tracked.tenant) * 1000);
    return deadline.remainingMs();
  }

  /**
   * The answer of the keystore if it comes soon; the call goes on without whoever asked. An Edge asks
   * for all its tenants one after the other: one whose keystore does not answer must not keep the
   * others waiting until their leases end, and one that did not answer last time hardly at all.
   */
  async #soon(
    tracked: TrackedTenant,
    version: number | null,
    traceparent?: string,
  ): Promise<ProofResult> {
    const doubtful = tracked.failures > 0;
    const code = tracked.lastCode ?? 'root_key_unreachable';
    if (doubtful && tracked.flights.has(version ?? 'current')) return unproven(code);
    const { proofWaitMsMax, doubtfulProofWaitMsMax } = LIMITS;
    let cancel = () => {};
    const late = new Promise<ProofResult>((resolve) => {
      const ms = doubtful ? doubtfulProofWaitMsMax : proofWaitMsMax;
      cancel = this.deps.scheduler.after(ms, () => resolve(unproven(code)));
    });
    const first = await Promise.race([this.#fly(tracked, 'lease', version, traceparent), late]);
    cancel();
    return first;
  }

  /**
   * One unwrap of one L2 version at a time; whoever comes meanwhile waits for its answer. It is
   * part of the trace of whoever came first.
   */
  #fly(
    tracked: TrackedTenant,
    purpose: CallPurpose,
    version: number | null = null,
    traceparent?: string,
  ): Promise<ProofResult> {
    const slot = version ?? 'current';
    const flying = tracked.flights.get(slot);
    if (flying !== undefined) return flying;
    const flight = this.#prove(tracked, purpose, version, traceparent).finally(() => {
      tracked.flights.delete(slot);
    });
    tracked.flights.set(slot, flight);
    return flight;
  }

  async #prove(
    tracked: TrackedTenant,
    purpose: CallPurpose,
    version: number | null,
    traceparent?: string,
  ): Promise<ProofResult> {
    const { view } = this.deps;
    const { tenant, generation } = tracked;
    const target = proofTarget(view, tenant, version);
    if (target === null || view.access(tenant).status === 'killed') return unproven('not_found');
    // An earlier version may speak for itself alone: what is planned for the current one stands.
    if (version === null) tracked.cancelNext();
    const called = await unwrapL2(this.deps, target, purpose, traceparent);
    const stale = this.#tenants.get(tenant) !== tracked || !this.#open;
    if (called.ok && (stale || tracked.generation !== generation)) {
      // Closed while the answer was on its way: the closing wins.
      called.value.dispose();
      if (!stale) this.watch(tenant);
      return unproven(stale ? 'sealed' : 'lease_expired', called.callId);
    }
    if (stale) return unproven('sealed');
    const cause = called.ok ? null : called.cause;
    if (!speaksForTenant(view, target, cause)) return this.#aside(tracked, target, called);
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
    if (proof === null || !this.live(tenant) || closedByOthers(this.deps.view.access(tenant))) {
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
    this.#suspicion.proved(providerOf(target.rootKey), tenant);
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
      this.#rounds.idle(tracked);
      return denied(closedBy(access, null)!, callId);
    }
    memory.putL2(tenant, target.identity.version, value);
    const seconds = leaseSecondsOf(view, tenant);
    const proof = proofOf(leaseClock, sent, seconds, 0.4 + 0.2 * fraction(random), called);
    const known = tracked.proof;
    if (known === null || known.deadline.since.monotonic < sent.monotonic) tracked.proof = proof;
    this.#rounds.renew(tracked, proof.renewAt - this.deps.clock.monotonicMs());
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
      this.#rounds.soon(tracked);
      return denied(code, callId);
    }
    const { retryMsMin, retryMsMax } = LIMITS;
    const backoff = fullJitterMs(random, tracked.failures, retryMsMin, retryMsMax);
    tracked.failed(code, clock.monotonicMs() + backoff);
    if (cause !== 'integrity' && seen !== null && !tracked.indeterminate) {
      tracked.indeterminate = true;
      recorder.indeterminate(tenant, seen, code, traceparent);
    }
    if (isProviderDenied(view.access(tenant)) || tracked.denied !== null)
      this.#rounds.soon(tracked);
    else if (tracked.used && this.live(tenant) && cause !== 'integrity')
      this.#rounds.renew(tracked, backoff);
    else this.#rounds.idle(tracked);
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
    if (!first) return;
    for (const listener of this.#listeners)
      try {
        listener(tracked.tenant, denial.code, traceparent);
      } catch {
        // Whoever fails to hear of it must not keep it from being recorded.
      }
  }

  #suspected(tenant: string, { rootKey }: ProofTarget): boolean {
    return this.#suspicion.denied(providerOf(rootKey), tenant, this.deps.clock.monotonicMs());
  }

  /** Every 100 ms: boot time, and the end of every proof that is over. */
  #tick(): void {
    const { leaseClock, memory, scheduler } = this.deps;
    leaseClock.tick();
    for (const tracked of this.#tenants.values())
      if (memory.holds(tracked.tenant) && this.#remainingMs(tracked) === 0) {
        memory.drop(tracked.tenant, null);
        tracked.proof = null;
      }
    this.#stopTicking = scheduler.after(LIMITS.leaseTickMs, () => this.#tick());
  }
}
