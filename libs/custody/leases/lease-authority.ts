import { type Code, LIMITS, type Scheduler, within } from '@kcm/kernel';
import type { CallPurpose } from '../calls/journal.js';
import { type LeaseStanding, leaseStanding } from './lease-standing.js';
import {
  denied,
  l2Refusal,
  type L2Result,
  leaseSecondsOf,
  type ProofResult,
  proofTarget,
  unproven,
} from './proof.js';
import { ProbeRounds } from './probe-rounds.js';
import { SelfSuspicion } from './self-suspicion.js';
import { TrackedTenant } from './tracked-tenant.js';
import { type UnwrapDeps, unwrapL2 } from '../keys/unwrap-l2.js';
import { type ClosedListener, type VerdictDeps, Verdicts } from './verdicts.js';

export interface LeaseAuthorityDeps extends UnwrapDeps, VerdictDeps {
  readonly scheduler: Scheduler;
  /** The tenant's root key has opened its key just now. Must not throw. */
  readonly onProved: (tenant: string) => void;
}

/**
 * A lease is proof with an end (architecture §2). Proof is a successful unwrap of the customer's
 * root key, and counts from the time at which Core sent it; only a new one moves a deadline. It
 * starts closed (sealed).
 */
export class LeaseAuthority {
  #tenants = new Map<string, TrackedTenant>();
  readonly #suspicion: SelfSuspicion;
  readonly #rounds: ProbeRounds;
  readonly #verdicts: Verdicts;
  readonly #listeners = new Set<ClosedListener>();
  #open = false;
  #stopTicking: () => void = () => {};

  constructor(private readonly deps: LeaseAuthorityDeps) {
    this.#suspicion = new SelfSuspicion(deps.view);
    this.#rounds = new ProbeRounds(deps, (tracked, purpose) => void this.#fly(tracked, purpose));
    this.#verdicts = new Verdicts(deps, this.#suspicion, this.#rounds, {
      live: (tenant) => this.live(tenant),
      closed: (...closed) => this.#tellClosed(...closed),
      proved: deps.onProved,
    });
  }

  /** After the unseal: the ticker runs, idle tenants are probed, denied ones soon. */
  start(): void {
    if (this.#open) return;
    // A view that answers nothing any more leaves it closed.
    const tenants = [...this.deps.view.tenants()];
    this.#open = true;
    this.deps.leaseClock.start();
    this.#tick();
    for (const tenant of tenants) this.watch(tenant);
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
    const refusal = l2Refusal(this.deps.view, tenant, version);
    if (refusal !== null) return denied(refusal);
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
    const ms = doubtful ? LIMITS.doubtfulProofWaitMsMax : LIMITS.proofWaitMsMax;
    const flight = this.#fly(tracked, 'lease', version, traceparent);
    const first = await within(this.deps.scheduler, ms, flight);
    return first === 'late' ? unproven(code) : first;
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
    if (target === null || view.access(tenant).status === 'killed') {
      const refusal = l2Refusal(view, tenant, version);
      return refusal === null ? unproven('not_found') : denied(refusal);
    }
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
    return this.#verdicts.on(tracked, target, called);
  }

  #tellClosed(tenant: string, code: Code, traceparent?: string): void {
    for (const listener of this.#listeners)
      try {
        listener(tenant, code, traceparent);
      } catch {
        // Whoever fails to hear of it must not keep it from being recorded.
      }
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
