import { isDestroyed, locksOf, type Recorded, versionOf } from '@kcm/domain';
import {
  type Clock,
  LeaseClock,
  parseKeyVersionUid,
  type Random,
  type Recording,
  type Scheduler,
  type Tracer,
} from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import type { BlobStore } from '@kcm/vault';
import { closedBy, closes } from './leases/access-gate.js';
import { AccessRecorder } from './leases/access-recorder.js';
import { CoreLeaseDesk } from './leases/core-lease-desk.js';
import type { CoreView } from './core-view.js';
import { GrantBook } from './leases/grant-book.js';
import { Hierarchy } from './keys/hierarchy.js';
import { CallJournal } from './calls/journal.js';
import { KeyMemory } from './keys/key-memory.js';
import { type CallSeen, KeystoreCalls } from './calls/keystore-calls.js';
import { LeaseAuthority } from './leases/lease-authority.js';
import type { RecordAct } from './record-act.js';
import { RootKeyChecks } from './leases/root-key-checks.js';
import { RootKeyPool, type RootKeyPoolDeps } from './keys/root-key-pool.js';
import { UsageBook } from './usage/usage-book.js';
import { Exports } from './usage/exports.js';
import { VersionUse } from './usage/version-use.js';

export interface KeyServiceDeps extends Pick<RootKeyPoolDeps, 'driver' | 'openCredentials'> {
  readonly ledger: Ledger;
  readonly view: CoreView;
  /** As it is on disk: sealed credentials. */
  readonly vault: BlobStore;
  /** Behind the barrier. */
  readonly wrapped: BlobStore;
  readonly erasure: BlobStore;
  readonly record: RecordAct;
  readonly clock: Clock;
  readonly random: Random;
  readonly scheduler: Scheduler;
  /** Of what a keystore's answer did; who made it ends it. */
  readonly recording: Recording;
  readonly tracer?: Tracer;
  readonly region: string;
  /** Id of this boot of Core, new at each start; fit for a stream name. */
  readonly boot: string;
  readonly release: string;
  /** Another Core writes this one's journal: every key is gone by then; the process must end. */
  readonly onReplaced: () => void;
  /** Each call to a customer's keystore, when it is over. Must not throw. */
  readonly onCalled?: (seen: CallSeen) => void;
}

/** The key half of Core: everything between the customer's root key and a leased L3. */
export class KeyService {
  readonly memory = new KeyMemory();
  readonly journal: CallJournal;
  readonly hierarchy: Hierarchy;
  readonly rootKeys: RootKeyPool;
  readonly calls: KeystoreCalls;
  readonly authority: LeaseAuthority;
  readonly grants: GrantBook;
  readonly usage: UsageBook;
  readonly versionUse: VersionUse;
  readonly exports = new Exports();
  readonly desk: CoreLeaseDesk;
  readonly #recorder: AccessRecorder;
  readonly #checks: RootKeyChecks;
  readonly #leaseClock: LeaseClock;
  #unsubscribe: () => void = () => {};

  constructor(private readonly deps: KeyServiceDeps) {
    const leaseClock = new LeaseClock(deps.clock);
    this.#leaseClock = leaseClock;
    this.journal = new CallJournal(deps, () => {
      this.seal();
      deps.recording.drop();
      deps.onReplaced();
    });
    this.versionUse = new VersionUse(deps.clock);
    this.usage = new UsageBook(this.journal, this.versionUse);
    this.hierarchy = new Hierarchy(deps.wrapped, deps.erasure, deps.random);
    this.rootKeys = new RootKeyPool(deps);
    this.calls = new KeystoreCalls({ ...deps, journal: this.journal, leaseClock });
    this.#recorder = new AccessRecorder(deps);
    const { calls, rootKeys } = this;
    this.#checks = new RootKeyChecks({ ...deps, calls, rootKeys });
    this.grants = new GrantBook(this.journal.stream, deps.clock, leaseClock);
    const parts = { hierarchy: this.hierarchy, memory: this.memory, leaseClock };
    this.authority = new LeaseAuthority({
      ...deps,
      ...parts,
      calls,
      rootKeys,
      recorder: this.#recorder,
      onProved: (tenant) => this.#checks.proved(tenant),
    });
    this.desk = new CoreLeaseDesk({
      ...deps,
      ...parts,
      authority: this.authority,
      journal: this.journal,
      grants: this.grants,
    });
  }

  /** Since the clocks last disagreed or the ticker was silent; null: never. Milliseconds. */
  get clockDisturbedMsAgo(): number | null {
    const at = this.#leaseClock.disturbedAt;
    return at === null ? null : this.deps.clock.monotonicMs() - at;
  }

  /** True while what the keystore's answers did to this tenant is not recorded. */
  unrecorded(tenant: string): boolean {
    return this.#recorder.pending(tenant);
  }

  /** Every event of the journals, this boot's and earlier ones': what outlives a boot of Core. */
  observe(event: Recorded): void {
    this.grants.apply(event);
    this.usage.apply(event);
    this.versionUse.apply(event);
    this.exports.apply(event);
  }

  /** Once a process, sealed or not: the first entry of this boot. @throws LedgerUnavailable */
  async started(): Promise<void> {
    await this.journal.started();
  }

  /** After the unseal, with a view that has caught up. */
  unsealed(): void {
    this.#unsubscribe();
    this.versionUse.forgetWhere((uid) => this.#isDestroyed(uid));
    this.#unsubscribe = this.deps.view.onAccess((tenant) => this.#accessChanged(tenant));
    this.authority.start();
  }

  /** At once: every L2 and L3 is filled with zeros, nothing is granted or proved any more. */
  seal(): void {
    this.#unsubscribe();
    this.#unsubscribe = () => {};
    this.authority.dropAll();
    this.#checks.forgetAll();
    this.grants.end(null);
  }

  /** For an orderly end of the process. */
  async stop(): Promise<void> {
    this.seal();
    await this.journal.end();
  }

  /** `service` null: the whole tenant. How many keys were filled with zeros. */
  dropTenant(tenant: string, service: string | null): number {
    if (service === null) this.grants.end(tenant);
    return this.authority.dropTenant(tenant, service);
  }

  #isDestroyed(uid: string): boolean {
    const of = parseKeyVersionUid(uid);
    const key = of === null ? undefined : this.deps.view.keys(of.tenant).get(of.key);
    const version =
      key === undefined || key.status === 'absent' ? null : versionOf(key, of!.version);
    return version !== null && isDestroyed(version);
  }

  /** A lock that ends all use: the keys go at the moment at which Core hears of it. */
  #accessChanged(tenant: string): void {
    const access = this.deps.view.access(tenant);
    if (closedBy(access, null) !== null) this.dropTenant(tenant, null);
    else
      for (const { scope } of locksOf(access).filter(closes))
        if ('service' in scope) this.dropTenant(tenant, scope.service);
    if (access.status === 'killed') this.rootKeys.dropTenant(tenant);
    else this.authority.watch(tenant);
  }
}
