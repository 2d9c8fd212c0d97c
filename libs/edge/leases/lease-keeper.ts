import {
  type Code,
  Deadline,
  DecryptionFailed,
  KcmError,
  type LeaseClock,
  parseKeyVersionUid,
  type Reading,
} from '@kcm/kernel';
import type { CorePort, Lease, Notice, Refusal } from '../core/core-port.js';
import { compareStanding, Fence, type Standing } from './fence.js';
import { L3Handle, leaseOver, type HandleParts } from '../records/l3-handle.js';
import { Hearsay } from './hearsay.js';
import { LeaseBook } from './lease-book.js';
import {
  isOfOneVersion,
  keyRefused,
  lockedOut,
  readOnly,
  refusalOf,
  RefusalMemo,
  tooMany,
} from './lease-refusals.js';
import { LeaseRenewals } from './lease-renewals.js';

/** Protect operations asked for with each lease. */
const ALLOCATION = 1_000_000;
const ATTEMPTS_MAX = 3;
/** Lease requests under way at once. */
const FLIGHTS_MAX = 256;
const SWEEP_MS = 1_000;
/** What may not protect may still be leased, to open what it protected or to move it elsewhere. */
const WITHOUT_ALLOCATION: ReadonlySet<Code> = new Set<Code>([
  'tenant_read_only',
  'key_not_active',
  'key_compromised',
]);

export type Alarm = 'stale-answer';
export interface KeeperParts extends HandleParts {
  readonly core: CorePort;
  readonly clock: LeaseClock;
  readonly allocation?: number;
  readonly onAlarm: (alarm: Alarm, tenant: string) => void;
  /** Nothing more is protected under this grant: what was is all that there will be to tell. */
  readonly onClosed: (grant: { readonly uid: string; readonly grantId: string }) => void;
  /** Dropped for what was only told, by no answer of Core. */
  readonly onHearsay: (tenant: string, dropped: readonly L3Handle[]) => void;
}
interface Flight {
  readonly tenant: string;
  readonly handle: Promise<L3Handle>;
}
interface Ask {
  readonly tenant: string;
  readonly service: string;
  /** Null: the current version, whichever it is. */
  readonly uid: string | null;
  /** What decrypts is held: nothing is wanted that does not protect. */
  readonly protects?: boolean;
  /** Of whoever asked first; who joins its flight is told of in no trace. */
  readonly traceparent: string | undefined;
}

/**
 * All leases of one Edge: gets, fences and drops them, and has them renewed. Single flight per
 * thing asked for.
 */
export class LeaseKeeper {
  readonly #book: LeaseBook;
  readonly #fence = new Fence();
  readonly #flights = new Map<string, Flight>();
  readonly #hearsay: Hearsay;
  readonly #refusals: RefusalMemo;
  readonly #renewals: LeaseRenewals;
  /** Notices per tenant: an answer to a request sent before one of them is not used. */
  readonly #notices = new Map<string, number>();
  /** How often everything was dropped: as above, of all tenants. */
  #ends = 0;
  readonly #allocation: number;
  #sweptAt = 0;

  constructor(private readonly parts: KeeperParts) {
    this.#book = new LeaseBook((handle) => {
      this.#endProtecting(handle);
      parts.witness.dropped(handle.witnessed);
    });
    this.#refusals = new RefusalMemo(parts.now);
    this.#allocation = parts.allocation ?? ALLOCATION;
    this.#hearsay = new Hearsay({
      now: parts.now,
      highest: (tenant) => this.#fence.highest(tenant),
      holds: (tenant) => this.#book.ofTenant(tenant).length > 0,
      asks: (tenant) => [...this.#flights.values()].some((flight) => flight.tenant === tenant),
      drop: (tenant) => {
        const dropped = this.#book.ofTenant(tenant);
        this.#book.drop(dropped);
        if (dropped.length > 0) parts.onHearsay(tenant, dropped);
      },
    });
    this.#renewals = new LeaseRenewals({
      ...parts,
      book: this.#book,
      lowAllowance: this.#allocation / 4,
      noticesOf: (tenant) => this.#noticesOf(tenant),
      passesFence: (tenant, seen) => this.#passesFence(tenant, seen),
      fetchCurrent: (tenant, service) => this.#fetchCurrent(tenant, service),
    });
  }

  /** A handle to protect with. Synchronous while the lease lives. @throws KcmError */
  protecting(tenant: string, service: string, traceparent?: string): L3Handle | Promise<L3Handle> {
    const held = this.#book.current(service, tenant);
    if (held?.live && held.mayProtect && held.allowance > 0) {
      held.allowance -= 1;
      return held;
    }
    // Core tells when that changes, and the lease ends.
    if (held?.live && held.stopped !== null) throw keyRefused(held.stopped);
    // Of a read-only Core is asked each time: it may have been lifted.
    const protects = held?.live === true && held.access === 'readOnly';
    const ask = { tenant, service, uid: null, protects, traceparent };
    return this.#fetch(ask).then((handle) => {
      if (handle.access === 'readOnly') throw readOnly();
      if (handle.stopped !== null) throw keyRefused(handle.stopped);
      if (!handle.live || !handle.mayProtect || handle.allowance <= 0) throw leaseOver();
      handle.allowance -= 1;
      return handle;
    });
  }

  /**
   * A handle that opens records of this key version. One key serves a (tenant, service), so that a
   * record that names another is refused without asking Core.
   * @throws DecryptionFailed for a key or version that is not theirs; KcmError (`Refusal.code`)
   */
  opening(
    tenant: string,
    service: string,
    key: string,
    version: number,
    traceparent?: string,
  ): L3Handle | Promise<L3Handle> {
    const uid = `${tenant}/${key}/${version}`;
    const held = this.#book.get(service, uid);
    return held?.live ? held : this.#openOther({ tenant, service, uid, traceparent }, key);
  }

  /**
   * Any live handle of (tenant, service). @throws KcmError not_found for a tenant not served here
   */
  knowing(tenant: string, service: string, traceparent?: string): L3Handle | Promise<L3Handle> {
    const held = this.#book.current(service, tenant);
    return held?.live ? held : this.#fetchCurrent(tenant, service, traceparent);
  }

  /**
   * Drops what a notice is about and returns it; the caller answers and acknowledges. A rotation
   * only ends protecting with the old version and fetches the new one; a read-only, or that the
   * version is deactivated, ends protecting.
   */
  notice(notice: Notice): readonly L3Handle[] {
    this.#notices.set(notice.tenant, this.#noticesOf(notice.tenant) + 1);
    const concerned = this.#book
      .ofTenant(notice.tenant)
      .filter((handle) => concerns(notice, handle));
    this.#refusals.clear();
    const { change } = notice;
    if (change === 'rotated' || change === 'readOnly' || change === 'deactivated') {
      for (const handle of concerned) {
        handle.mayProtect = false;
        if (change === 'readOnly') handle.access = 'readOnly';
        if (change === 'rotated') handle.replaced = true;
        if (change === 'deactivated') handle.state = 'deactivated';
        if (this.#book.isCurrent(handle)) this.#refetch(handle, notice.traceparent);
      }
      return [];
    }
    this.#book.drop(concerned);
    return concerned;
  }

  /** Of a tenant's standing, by nobody that must be believed: as `Hearsay`. */
  heard(tenant: string, told: Standing): void {
    this.#hearsay.hear(tenant, told);
  }

  /** To be called every 100 ms: renews what is due, drops what is over. */
  tick(): void {
    this.parts.clock.tick();
    this.#hearsay.tick();
    const held = this.#book.all();
    this.#book.drop(held.filter((handle) => !handle.live));
    this.#renewals.renewDue();
    const now = this.parts.now();
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    for (const handle of this.#book.all()) {
      handle.sweep();
      if (!handle.mayProtect) this.#endProtecting(handle);
    }
  }

  handles(): readonly L3Handle[] {
    return this.#book.all();
  }

  highest(tenant: string): Standing | null {
    return this.#fence.highest(tenant);
  }

  /** Tenants that get no lease here: Core's last answer for them was older than one before it. */
  get staleTenants(): number {
    return this.#fence.stale;
  }

  /** Answers that are under way are not used either. */
  dropAll(): readonly L3Handle[] {
    this.#ends += 1;
    this.#refusals.clear();
    const handles = this.#book.all();
    this.#book.drop(handles);
    return handles;
  }

  async #openOther(ask: Ask & { readonly uid: string }, key: string): Promise<L3Handle> {
    const { tenant, service, uid, traceparent } = ask;
    const current = await this.#currentOrNone(tenant, service, traceparent);
    const serving = current?.key ?? this.#book.keyOf(service, tenant);
    if (serving !== key) throw new DecryptionFailed();
    if (current?.uid === uid) return current;
    try {
      return await this.#flight(ask);
    } catch (error) {
      if (error instanceof KcmError && error.code === 'not_found') throw new DecryptionFailed();
      throw error;
    }
  }

  /** None: of the current version there is no lease, which says nothing of the others. */
  async #currentOrNone(
    tenant: string,
    service: string,
    traceparent?: string,
  ): Promise<L3Handle | null> {
    try {
      return await this.knowing(tenant, service, traceparent);
    } catch (error) {
      if (error instanceof KcmError && isOfOneVersion(error.code)) return null;
      throw error;
    }
  }

  #fetchCurrent(tenant: string, service: string, traceparent?: string): Promise<L3Handle> {
    return this.#fetch({ tenant, service, uid: null, traceparent });
  }

  async #fetch(ask: Ask & { readonly uid: null }): Promise<L3Handle> {
    const handle = await this.#flight(ask);
    this.#book.makeCurrent(handle);
    return handle;
  }

  /** In the background; who needs it meanwhile joins the same flight. */
  #refetch(handle: L3Handle, traceparent?: string): void {
    this.#fetchCurrent(handle.tenant, handle.service, traceparent).catch(() => undefined);
  }

  #flight(ask: Ask): Promise<L3Handle> {
    const name = `${ask.service} ${ask.uid ?? ask.tenant}${ask.protects ? ' protects' : ''}`;
    const refused = this.#refusals.of(name);
    if (refused !== null) return Promise.reject(refused);
    const under = this.#flights.get(name);
    if (under !== undefined) return under.handle;
    if (this.#flights.size >= FLIGHTS_MAX) return Promise.reject(tooMany());
    const handle = this.#acquire(ask)
      .catch((error: unknown) => {
        throw error instanceof KcmError ? this.#refusals.remember(name, error) : error;
      })
      .finally(() => this.#flights.delete(name));
    this.#flights.set(name, { tenant: ask.tenant, handle });
    return handle;
  }

  async #acquire(ask: Ask): Promise<L3Handle> {
    const { clock } = this.parts;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const notices = this.#noticesOf(ask.tenant);
      const since = clock.reading();
      const { answer, allocated } = await this.#ask(ask);
      if (!answer.ok) {
        // What is held goes on to decrypt, and so it does while Core cannot be asked.
        if (answer.code === 'tenant_read_only') throw readOnly();
        if (ask.protects && answer.effect === 'indeterminate') throw readOnly();
        const located = parseKeyVersionUid(answer.uid ?? '');
        if (located !== null) this.#book.located(ask.service, ask.tenant, located.key);
        if (answer.effect === 'denied') {
          const uid = isOfOneVersion(answer.code) ? (answer.uid ?? ask.uid) : ask.uid;
          this.#book.drop(this.#heldFor({ ...ask, uid }));
          this.#fence.denied(ask.tenant);
        }
        throw refusalOf(answer);
      }
      const fresh = notices === this.#noticesOf(ask.tenant);
      const handle = this.#admit(answer, { ...ask, allocated }, fresh, since);
      if (handle !== null) return handle;
    }
    throw leaseOver();
  }

  /** Where nothing may be protected, a lease that decrypts. */
  async #ask(ask: Ask): Promise<{ readonly answer: Lease | Refusal; readonly allocated: number }> {
    const { core } = this.parts;
    const { tenant, service, uid, traceparent } = ask;
    if (uid !== null) return { answer: await core.leaseOld(uid, traceparent), allocated: 0 };
    const allocated = this.#allocation;
    for (let attempt = 1; ; attempt += 1) {
      const answer = await core.lease(tenant, service, allocated, traceparent);
      if (answer.ok || !WITHOUT_ALLOCATION.has(answer.code)) return { answer, allocated };
      if (ask.protects && answer.code === 'tenant_read_only') return { answer, allocated };
      const bare = await core.lease(tenant, service, null, traceparent);
      if (!bare.ok || !bare.mayProtect || attempt === ATTEMPTS_MAX)
        return { answer: bare, allocated: 0 };
      // Another version took over after the first was located.
      bare.l3.dispose();
    }
  }

  /** Null: the answer must not be used. */
  #admit(
    lease: Lease,
    ask: Ask & { readonly allocated: number },
    fresh: boolean,
    since: Reading,
  ): L3Handle | null {
    const { tenant, service } = ask;
    const deadline = new Deadline(this.parts.clock, since, lease.seconds * 1000);
    const unused = (): void => {
      lease.l3.dispose();
      if (ask.allocated === 0) return;
      const held = this.#book.get(service, lease.uid);
      // Core knows of the last grant alone: what is left of an earlier one goes on under that.
      if (held?.allowedBy) held.allowedBy = lease.grantId;
      else this.parts.onClosed(lease);
    };
    if (!fresh || !this.#passesFence(tenant, lease) || !deadline.live) {
      unused();
      return null;
    }
    if (lease.access === 'locked' || lease.access === 'killed') {
      unused();
      this.#book.drop(this.#book.ofTenant(tenant));
      throw lockedOut(lease.access);
    }
    let handle = this.#book.get(service, lease.uid);
    if (handle !== null && !handle.dropped) {
      lease.l3.dispose();
      handle.renew(lease, deadline);
      handle.policy = lease.policy;
    } else {
      handle = new L3Handle(lease, tenant, service, deadline, this.parts);
      this.#book.add(handle);
    }
    if (ask.uid === null) {
      handle.allowance = ask.allocated;
      if (ask.allocated > 0) handle.allowedBy = lease.grantId;
    }
    this.#renewals.plan(handle);
    return handle;
  }

  /** To protect again takes another grant. */
  #endProtecting(handle: L3Handle): void {
    const { uid, allowedBy: grantId } = handle;
    if (grantId === null) return;
    handle.allowance = 0;
    handle.allowedBy = null;
    this.parts.onClosed({ uid, grantId });
  }

  /** Keeps the highest pair; a higher one drops whatever was held under a lower one. */
  #passesFence(tenant: string, seen: Standing): boolean {
    const verdict = this.#fence.admit(tenant, seen);
    if (verdict === 'stale') this.parts.onAlarm('stale-answer', tenant);
    if (verdict === 'raised') {
      const held = this.#book.ofTenant(tenant);
      this.#book.drop(held.filter((handle) => compareStanding(handle, seen) < 0));
    }
    return verdict !== 'stale';
  }

  /** What a denial of this request ends: one version, or all of (tenant, service). */
  #heldFor({ tenant, service, uid }: Ask): readonly L3Handle[] {
    const held = this.#book.ofTenant(tenant).filter((handle) => handle.service === service);
    return uid === null ? held : held.filter((handle) => handle.uid === uid);
  }

  #noticesOf(tenant: string): number {
    return this.#ends + (this.#notices.get(tenant) ?? 0);
  }
}

/** A change of one version's state is about that alone, any other about its key or the tenant. */
function concerns({ l3, change }: Notice, { uid }: L3Handle): boolean {
  if (l3 === null) return true;
  return change === 'deactivated' || change === 'state' ? uid === l3 : keyOf(uid) === keyOf(l3);
}

/** `{tenant}/{key id}` of a unique identifier. */
const keyOf = (uid: string): string => uid.slice(0, uid.lastIndexOf('/'));
