import type { Secret } from '@kcm/crypto';
import {
  type ExistingKey,
  type Grant,
  keyRefusal,
  type KeyState,
  type KeyVersion,
  versionOf,
} from '@kcm/domain';
import {
  type Clock,
  type Code,
  type LeaseClock,
  type Random,
  rfc3339,
  uuidv4,
  keyVersionUid,
  parseKeyVersionUid,
} from '@kcm/kernel';
import { closedBy, protectingClosedBy, tenantClosedBy } from './access-gate.js';
import type { CoreView } from '../core-view.js';
import { type GrantBook, holderName } from './grant-book.js';
import type { Hierarchy } from '../keys/hierarchy.js';
import type { CallJournal } from '../calls/journal.js';
import type { KeyIdentity } from '../keys/key-identity.js';
import type { KeyMemory } from '../keys/key-memory.js';
import type { LeaseAuthority } from './lease-authority.js';
import type {
  Holder,
  L3Lease,
  L3Ref,
  LeasedPolicy,
  LeaseDesk,
  LeaseRefusal,
} from './lease-desk.js';
import { LeaseRefusals, refusalOf } from './lease-refusals.js';
import type { Proof } from './proof.js';

export interface CoreLeaseDeskDeps {
  readonly view: CoreView;
  readonly authority: Pick<LeaseAuthority, 'hold' | 'l2' | 'live' | 'remainingSeconds'>;
  readonly hierarchy: Pick<Hierarchy, 'openL3'>;
  readonly memory: KeyMemory;
  readonly journal: Pick<CallJournal, 'granted' | 'refused'>;
  readonly grants: GrantBook;
  readonly clock: Clock;
  readonly leaseClock: LeaseClock;
  readonly random: Random;
}
/** A version of an L3 that this holder may ask for. */
interface Asked {
  readonly identity: KeyIdentity;
  readonly service: string;
  readonly key: ExistingKey & { readonly status: KeyState['status'] };
  readonly version: KeyVersion;
}

/** Whether anything is to be protected under the grant. */
type Protecting = Asked & { readonly protects: boolean };

/** Grants only what is recorded, and only while every check still holds after the record. */
export class CoreLeaseDesk implements LeaseDesk {
  readonly #refusals: LeaseRefusals;

  constructor(private readonly deps: CoreLeaseDeskDeps) {
    this.#refusals = new LeaseRefusals(deps);
  }

  async locate(holder: Holder, tenant: string, service: string): Promise<L3Ref | LeaseRefusal> {
    const of = { tenant, key: null, service };
    const closed = this.#admit(holder, tenant, service);
    if (closed !== null) return this.#refusals.recorded(holder, of, refusalOf(closed));
    for (const [key, state] of this.deps.view.keys(tenant))
      if (isServed(state) && state.level === 'L3' && state.service === service)
        return located({ tenant, key, version: state.current }, state);
    return this.#refusals.recorded(holder, of, refusalOf('not_found'));
  }

  async lease(
    holder: Holder,
    uid: string,
    kind: 'grant' | 'renew',
    allocation: number | null,
    traceparent?: string,
  ): Promise<L3Lease | LeaseRefusal> {
    const asked = this.#find(holder, uid);
    if ('ok' in asked) {
      const { tenant = null, key = null } = parseKeyVersionUid(uid) ?? {};
      return this.#refusals.recorded(holder, { tenant, key, service: null }, asked);
    }
    const { identity, service } = asked;
    const protects = allocation !== null;
    const closed = protects ? this.#unprotecting(asked) : null;
    const result =
      closed === null
        ? await this.#grant(holder, uid, kind, { ...asked, protects }, traceparent)
        : refusalOf(closed);
    return result.ok ? result : this.#refusals.recorded(holder, { ...identity, service }, result);
  }

  material(holder: Holder, uid: string): Secret | LeaseRefusal {
    const { authority, grants, memory } = this.deps;
    const asked = this.#find(holder, uid);
    if ('ok' in asked) return asked;
    const { tenant } = asked.identity;
    const live = authority.live(tenant) && grants.live(holder, uid);
    const l3 = live ? memory.l3(tenant, uid) : null;
    return l3 ?? refusalOf('lease_expired');
  }

  policy(tenant: string): LeasedPolicy {
    const state = this.deps.view.tenant(tenant);
    if (state.status === 'absent')
      return { ttlSeconds: 1, maxUses: 1, maxAgeSeconds: 1, off: true };
    return state.policy.cache;
  }

  holders(tenant: string, service: string | null) {
    return this.deps.grants.holders(tenant, service);
  }

  tenantsOf(holder: Holder) {
    return this.deps.grants.tenantsOf(holder);
  }

  async #grant(
    holder: Holder,
    uid: string,
    kind: 'grant' | 'renew',
    asked: Protecting,
    traceparent?: string,
  ): Promise<L3Lease | LeaseRefusal> {
    const { authority, leaseClock, journal, view, grants } = this.deps;
    const { tenant } = asked.identity;
    const held = await authority.hold(tenant, traceparent);
    if (!held.ok) return refusalOf(held.code, held.effect);
    const missing = await this.#load(uid, asked, traceparent);
    if (missing !== null) return missing;
    const since = leaseClock.reading();
    const seconds = authority.remainingSeconds(tenant);
    if (seconds < 1) return refusalOf('lease_expired');
    const grant = this.#grantOf(holder, asked, seconds, held.proof);
    try {
      const position = await journal.granted(kind, tenant, grant, traceparent);
      grants.held(tenant, grant);
      await view.reached(position);
    } catch {
      return refusalOf('ledger_unavailable');
    }
    // What was recorded before the grant is known by now: a lock wins over a grant in flight.
    const closed =
      this.#admit(holder, tenant, asked.service) ??
      (asked.protects ? this.#unprotecting(asked) : null);
    if (closed !== null) return refusalOf(closed);
    const left = Math.min(seconds, authority.remainingSeconds(tenant));
    if (left < 1) return refusalOf('lease_expired');
    grants.lease(holder, tenant, uid, since, seconds);
    return this.#leaseOf(uid, asked, grant, left);
  }

  #grantOf(holder: Holder, asked: Protecting, seconds: number, proof: Proof): Grant {
    const { clock, view, random } = this.deps;
    const { tenant, key, version } = asked.identity;
    return {
      grantId: uuidv4(random),
      holder: holderName(holder),
      boot: holder.boot,
      key,
      version,
      service: asked.service,
      seconds,
      endsAt: rfc3339(clock.wallMs() + seconds * 1000),
      epoch: view.access(tenant).epoch,
      callId: proof.callId,
      providerRequestId: proof.providerRequestId,
      protects: asked.protects,
      ...(this.#allowsExport(tenant) ? { class: 'exported' } : {}),
    };
  }

  /** From the state after the record: a rotation or a lock elsewhere may have come meanwhile. */
  #leaseOf(uid: string, asked: Asked, grant: Grant, seconds: number): L3Lease | LeaseRefusal {
    const { tenant, key, version } = asked.identity;
    const now = this.#version(asked.identity);
    const ended = now === null ? 'not_found' : this.#ended(tenant, now.version);
    if (now === null || ended !== null) return refusalOf(ended ?? 'not_found');
    const access = this.deps.view.access(tenant);
    const { term, epoch } = access;
    const readOnly = protectingClosedBy(access, asked.service) !== null;
    const at = (other: number) => keyVersionUid({ tenant, key, version: other });
    return {
      ok: true,
      uid,
      tenant,
      service: asked.service,
      key,
      version,
      state: now.version.state,
      compromisedSince: now.version.compromisedSince ?? null,
      at: now.version.at ?? {},
      access: readOnly ? 'readOnly' : 'open',
      mayProcess: keyRefusal(now.version, 'process') === null,
      mayExport: grant.class === 'exported' && this.#allowsExport(tenant),
      seconds,
      term,
      epoch,
      grantId: grant.grantId,
      callId: grant.callId,
      providerRequestId: grant.providerRequestId,
      replaces: version > 1 ? at(version - 1) : null,
      replacedBy: version < now.key.current ? at(version + 1) : null,
    };
  }

  /** Brings the L3 into memory; null when it is there. */
  async #load(uid: string, asked: Asked, traceparent?: string): Promise<LeaseRefusal | null> {
    const { authority, hierarchy, memory, view } = this.deps;
    const { identity, service, version } = asked;
    const { tenant } = identity;
    if (memory.l3(tenant, uid) !== null) return null;
    const opened = await authority.l2(tenant, Number(version.wrappedBy.version), traceparent);
    if (!opened.ok) return refusalOf(opened.code, opened.effect);
    let l3: Secret;
    try {
      l3 = await hierarchy.openL3(identity, service, version, opened.l2);
    } catch {
      // A damaged blob, or an L2 that was filled with zeros while the vault was read.
      return refusalOf(authority.live(tenant) ? 'integrity' : 'lease_expired');
    }
    const closed = closedBy(view.access(tenant), service);
    if (closed === null && authority.live(tenant)) {
      memory.putL3(tenant, uid, service, l3);
      return null;
    }
    l3.dispose();
    return refusalOf(closed ?? 'lease_expired');
  }

  /** The key version behind a uid, if this holder may ask for it; what it may not is not_found. */
  #find(holder: Holder, uid: string): Asked | LeaseRefusal {
    const identity = parseKeyVersionUid(uid);
    const found = identity === null ? null : this.#version(identity);
    const service = found?.key.service ?? null;
    if (identity === null || found === null || service === null) return refusalOf('not_found');
    const closed = this.#admit(holder, identity.tenant, service);
    if (closed !== null) return refusalOf(closed);
    if (!isServed(found.key)) return refusalOf('not_found');
    const ended = this.#ended(identity.tenant, found.version);
    return ended === null ? { identity, service, ...found } : refusalOf(ended);
  }

  #allowsExport(tenant: string): boolean {
    const state = this.deps.view.tenant(tenant);
    return state.status !== 'absent' && state.policy.allowExport;
  }

  /** Why nothing is allocated on this version; the refused holder may have a lease to decrypt. */
  #unprotecting({ identity, service }: Asked): Code | null {
    const now = this.#version(identity);
    if (now === null) return 'not_found';
    const access = this.deps.view.access(identity.tenant);
    return keyRefusal(now.version, 'protect') ?? protectingClosedBy(access, service);
  }

  /** Why there is no lease of a version: for what it is, or what the L2 that it hangs from is. */
  #ended(tenant: string, version: KeyVersion): Code | null {
    const { id, version: parent } = version.wrappedBy;
    const l2 = this.deps.view.keys(tenant).get(id);
    const from = l2 === undefined || l2.status === 'absent' ? null : versionOf(l2, Number(parent));
    return leaseRefusal(version) ?? (from === null ? null : keyRefusal(from, 'process'));
  }

  #version({ tenant, key, version }: KeyIdentity): Pick<Asked, 'key' | 'version'> | null {
    const state = this.deps.view.keys(tenant).get(key);
    if (state === undefined || state.status === 'absent' || state.level !== 'L3') return null;
    const found = state.versions.find((one) => one.version === version);
    return found === undefined ? null : { key: state, version: found };
  }

  /** Enrolment and mapping first: whoever may not know of a tenant learns nothing of its locks. */
  #admit(holder: Holder, tenant: string, service: string): Code | null {
    const { view } = this.deps;
    const edge = view.edge(holder.edge);
    if (edge.status !== 'enrolled' || !edge.services.includes(service)) return 'not_found';
    const state = view.tenant(tenant);
    if (state.status === 'absent' || !state.services.has(service)) return 'not_found';
    return closedBy(view.access(tenant), service) ?? tenantClosedBy(state);
  }
}

function located(of: KeyIdentity, key: ExistingKey): L3Ref | LeaseRefusal {
  const current = versionOf(key, of.version);
  if (current === null) return refusalOf('not_found');
  const { state, archived = false } = current;
  return { ok: true, uid: keyVersionUid(of), state, archived };
}

/** A lease is for opening what the version protects, or for moving it off that version. */
const leaseRefusal = (version: KeyVersion): Code | null =>
  keyRefusal(version, 'rewrap') === null ? null : keyRefusal(version, 'process');

const isServed = <S extends { readonly status: string }>(
  state: S,
): state is Exclude<S, { readonly status: 'absent' | 'revoked' }> =>
  state.status === 'active' || state.status === 'rotating';
