import {
  Deadline,
  fraction,
  fullJitterMs,
  type LeaseClock,
  type Random,
  type Reading,
} from '@kcm/kernel';
import type { CorePort, Proof, Refusal } from '../core/core-port.js';
import type { L3Handle } from '../records/l3-handle.js';
import type { Standing } from './fence.js';
import type { LeaseBook } from './lease-book.js';

const RENEW_BATCH_MAX = 60;
const RETRY = { baseMs: 200, capMs: 5_000 };

export interface RenewalParts {
  readonly core: Pick<CorePort, 'renew'>;
  readonly clock: LeaseClock;
  readonly random: Random;
  readonly book: LeaseBook;
  /** Fewer protect operations left than this: the next allocation is asked for. */
  readonly lowAllowance: number;
  /** As `LeaseKeeper` counts them: an answer to a request sent before one is not used. */
  readonly noticesOf: (tenant: string) => number;
  /** Drops what is under a lower pair; false: the answer must not be used. */
  readonly passesFence: (tenant: string, seen: Standing) => boolean;
  readonly fetchCurrent: (tenant: string, service: string) => Promise<L3Handle>;
}
interface Plan {
  /** Age in monotonic ms at which the lease is renewed: 40–60 % of it. */
  renewAtMs: number;
  failures: number;
  busy: boolean;
}

/** Renews leases that are used before they end; what is not used ends by itself. */
export class LeaseRenewals {
  readonly #plans = new WeakMap<L3Handle, Plan>();

  constructor(private readonly parts: RenewalParts) {}

  /** Of a lease that has just been had or renewed. */
  plan(handle: L3Handle): void {
    const share = 0.4 + 0.2 * fraction(this.parts.random);
    const renewAtMs = handle.deadline.ttlMs * share;
    this.#plans.set(handle, { renewAtMs, failures: 0, busy: false });
  }

  /** Of all that are in the book now. */
  renewDue(): void {
    const due = this.parts.book.all().filter((handle) => !handle.dropped && this.#isDue(handle));
    for (let at = 0; at < due.length; at += RENEW_BATCH_MAX)
      void this.#renew(due.slice(at, at + RENEW_BATCH_MAX));
  }

  #isDue(handle: L3Handle): boolean {
    const plan = this.#plans.get(handle);
    if (plan === undefined || plan.busy || !handle.used) return false;
    const { book, lowAllowance, fetchCurrent } = this.parts;
    if (handle.allowance < lowAllowance && handle.mayProtect && book.isCurrent(handle)) {
      // The rest of the allocation serves while the next one is asked for.
      plan.busy = true;
      fetchCurrent(handle.tenant, handle.service)
        .catch(() => undefined)
        .finally(() => (plan.busy = false));
      return false;
    }
    return handle.deadline.ageMs() >= plan.renewAtMs;
  }

  async #renew(handles: readonly L3Handle[]): Promise<void> {
    const { clock, core, noticesOf } = this.parts;
    const asked = handles.map((handle) => ({
      handle,
      plan: this.#plans.get(handle)!,
      notices: noticesOf(handle.tenant),
    }));
    for (const { plan } of asked) plan.busy = true;
    const since = clock.reading();
    const answers = await core.renew(handles.map((handle) => handle.uid));
    for (const [at, { handle, plan, notices }] of asked.entries()) {
      plan.busy = false;
      const fresh = notices === noticesOf(handle.tenant);
      if (fresh && !handle.dropped) this.#renewed(handle, plan, answers[at]!, since);
    }
  }

  #renewed(handle: L3Handle, plan: Plan, answer: Proof | Refusal, since: Reading): void {
    const { book, clock, random, passesFence, fetchCurrent } = this.parts;
    if (!answer.ok) {
      if (answer.effect === 'denied') return book.drop([handle]);
      const waitMs = fullJitterMs(random, plan.failures, RETRY.baseMs, RETRY.capMs);
      plan.failures += 1;
      plan.renewAtMs = handle.deadline.ageMs() + waitMs;
      return;
    }
    if (answer.access === 'locked' || answer.access === 'killed')
      return book.drop(book.ofTenant(handle.tenant));
    const wasCurrent = book.isCurrent(handle);
    if (!passesFence(handle.tenant, answer)) {
      plan.renewAtMs = handle.deadline.ageMs() + RETRY.baseMs;
      return;
    }
    if (handle.dropped) {
      // A higher (term, epoch): the whole request for a lease again.
      if (wasCurrent) fetchCurrent(handle.tenant, handle.service).catch(() => undefined);
      return;
    }
    handle.renew(answer, new Deadline(clock, since, answer.seconds * 1000));
    this.plan(handle);
  }
}
