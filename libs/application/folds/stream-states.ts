import {
  accessDecider,
  type AccessState,
  type CommandOf,
  type Decider,
  type DomainEvent,
  edgeDecider,
  type EdgeState,
  keyDecider,
  type KeyEvent,
  type KeyState,
  regionDecider,
  type RegionState,
  revocationDecider,
  type RevocationState,
  rootkeysDecider,
  type RootKeysState,
  tenantDecider,
  type TenantState,
} from '@kcm/domain';
import {
  type Category,
  KcmError,
  type OneOrMore,
  parseStream,
  type Position,
  type RecordedEvent,
} from '@kcm/kernel';
import type { EventCatalog } from '@kcm/ledger';
import { type FeedConsumer, FeedLoop, type FeedLoopDeps, type FeedState } from './feed-loop.js';
import { FoldFailed } from './fold-batch.js';

export type AccessListener = (
  tenant: string,
  state: AccessState,
  /** The trace that the event is part of. */
  traceparent?: string,
) => void;
export type KeyListener = (
  tenant: string,
  key: string,
  event: KeyEvent,
  traceparent?: string,
) => void;
export type PolicyListener = (tenant: string, traceparent?: string) => void;
export type TakeLock = Extract<CommandOf<'access'>, { kind: 'TakeLock' }>;
export interface StreamStatesDeps extends FeedLoopDeps {
  readonly catalog: EventCatalog;
  readonly region: string;
  /** Told of each event of the calls journals, from the ledger's start on. Must not throw. */
  readonly observe?: (event: RecordedEvent) => void;
}
interface Reaching {
  readonly position: Position;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Live states of one category: by owner (tenant, region), then by id (null: the owner's only one).
 */
class States<S, E extends DomainEvent> {
  readonly #states = new Map<string, Map<string | null, S>>();

  constructor(private readonly decider: Decider<never, S, E>) {}

  fold(owner: string, id: string | null, event: RecordedEvent): void {
    const before = this.get(owner, id);
    const ofOwner = this.#states.get(owner) ?? new Map<string | null, S>();
    this.#states.set(owner, ofOwner);
    ofOwner.set(id, this.decider.evolve(before, event as unknown as E));
  }
  get(owner: string, id: string | null): S {
    return this.#states.get(owner)?.get(id) ?? this.decider.initial;
  }
  of(owner: string): ReadonlyMap<string, S> {
    return (this.#states.get(owner) ?? new Map()) as ReadonlyMap<string, S>;
  }
  owners(): Iterable<string> {
    return this.#states.keys();
  }
}

/**
 * Live states of the lifecycle streams, folded from the ledger in memory by the deciders
 * themselves. Answers only when it has caught up, and never again after an event that it could not
 * fold: a state that may be too old would grant access that was taken away. (While the ledger
 * cannot be reached it answers what it knows: nothing can have been recorded since.)
 */
export class StreamStates {
  readonly #tenant = new States(tenantDecider);
  readonly #access = new States(accessDecider);
  readonly #rootKeys = new States(rootkeysDecider);
  readonly #key = new States(keyDecider);
  readonly #revocation = new States(revocationDecider);
  readonly #edge = new States(edgeDecider);
  readonly #region = new States(regionDecider);
  readonly #byCategory: Partial<Record<Category, Pick<States<unknown, DomainEvent>, 'fold'>>> = {
    tenant: this.#tenant,
    access: this.#access,
    rootkeys: this.#rootKeys,
    key: this.#key,
    revocation: this.#revocation,
    edge: this.#edge,
    region: this.#region,
  };
  readonly #loop: FeedLoop;
  /** Locks that act and that the ledger has not taken yet, by tenant. */
  readonly #foreseen = new Map<string, Set<TakeLock>>();
  readonly #onAccess = new Set<AccessListener>();
  readonly #onKey = new Set<KeyListener>();
  readonly #onPolicy = new Set<PolicyListener>();
  readonly #onEdge = new Set<() => void>();
  readonly #onRegion = new Set<() => void>();
  #reaching: Reaching[] = [];
  #at: Position | null = null;
  #ready = false;
  #broken: unknown = null;
  readonly #caughtUp: Promise<void>;
  #settle!: { resolve(): void; reject(error: unknown): void };

  constructor(private readonly deps: StreamStatesDeps) {
    this.#caughtUp = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#caughtUp.catch(() => {});
    const consumer: FeedConsumer = {
      resume: async () => this.#at ?? 'start',
      events: async (events) => this.#fold(events),
      passed: async (position) => this.#moveTo(position),
      caughtUp: async () => this.#live(),
    };
    const report: FeedLoopDeps['report'] = (error, state) => {
      if (state === 'failed') this.#break(error);
      deps.report(error, state);
    };
    this.#loop = new FeedLoop({ ...deps, report }, consumer);
  }

  start(): void {
    this.#loop.start();
  }
  /** Whoever waits is refused with ledger_unavailable. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    this.#break(new KcmError('ledger_unavailable', 'The states are no longer read.'));
  }
  /** Resolves when everything recorded so far has been folded. @throws what stopped the fold */
  ready(): Promise<void> {
    return this.#caughtUp;
  }
  health(): { readonly position: Position | null; readonly state: FeedState } {
    return { position: this.#at, state: this.#loop.state };
  }

  region(): RegionState {
    return this.#sound(this.#region).get(this.deps.region, null);
  }
  tenant(tenant: string): TenantState {
    return this.#sound(this.#tenant).get(tenant, null);
  }
  access(tenant: string): AccessState {
    const recorded = this.#sound(this.#access).get(tenant, null);
    const foreseen = this.#foreseen.get(tenant);
    if (foreseen === undefined) return recorded;
    // A raised epoch that a crash takes back would leave every holder with a fence ahead of us.
    const { term, epoch } = recorded;
    return { ...[...foreseen].reduce(taking, recorded), term, epoch };
  }
  /**
   * The lock acts from now on, recorded or not, until the answer is called; the epoch stays the
   * recorded one.
   */
  foresee(tenant: string, lock: TakeLock): () => void {
    const locks = this.#foreseen.get(tenant) ?? new Set();
    this.#foreseen.set(tenant, locks.add(lock));
    this.#tellAccess(tenant, undefined);
    return () => {
      locks.delete(lock);
      if (locks.size === 0) this.#foreseen.delete(tenant);
    };
  }
  rootKeys(tenant: string): RootKeysState {
    return this.#sound(this.#rootKeys).get(tenant, null);
  }
  /** By key id. */
  keys(tenant: string): ReadonlyMap<string, KeyState> {
    return this.#sound(this.#key).of(tenant);
  }
  /** By revocation id. */
  revocations(tenant: string): ReadonlyMap<string, RevocationState> {
    return this.#sound(this.#revocation).of(tenant);
  }
  edge(edge: string): EdgeState {
    return this.#sound(this.#edge).get(this.deps.region, edge);
  }
  /** By id. */
  edges(): ReadonlyMap<string, EdgeState> {
    return this.#sound(this.#edge).of(this.deps.region);
  }
  tenants(): Iterable<string> {
    return this.#sound(this.#tenant).owners();
  }

  /** Resolves once everything up to and including this position is folded. @throws as `ready` */
  reached(position: Position): Promise<void> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    if (this.#at !== null && this.#at >= position) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#reaching.push({ position, resolve, reject });
    });
  }

  /** Called after each fold of an access stream; at the first catch-up once for each tenant. */
  onAccess(listener: AccessListener): () => void {
    this.#onAccess.add(listener);
    return () => void this.#onAccess.delete(listener);
  }
  /** Called after each fold of an event of a key, from the first catch-up on. */
  onKey(listener: KeyListener): () => void {
    this.#onKey.add(listener);
    return () => void this.#onKey.delete(listener);
  }
  /** Called after a tenant's policy was changed, from the first catch-up on. */
  onPolicy(listener: PolicyListener): () => void {
    this.#onPolicy.add(listener);
    return () => void this.#onPolicy.delete(listener);
  }
  /** Called after an Edge was enrolled anew or revoked. */
  onEdge(listener: () => void): () => void {
    this.#onEdge.add(listener);
    return () => void this.#onEdge.delete(listener);
  }
  /** Called after the region was initialized, unsealed or sealed. */
  onRegion(listener: () => void): () => void {
    this.#onRegion.add(listener);
    return () => void this.#onRegion.delete(listener);
  }

  /** @throws KcmError ledger_unavailable before the first catch-up · what stopped the fold */
  #sound<T>(states: T): T {
    if (this.#broken !== null) throw this.#broken as Error;
    if (!this.#ready)
      throw new KcmError('ledger_unavailable', 'The ledger is still being read.', {
        retryAfterSeconds: 1,
      });
    return states;
  }

  #fold(events: OneOrMore<RecordedEvent>): void {
    for (const event of events) {
      const { category, owner, id } = parseStream(event.stream);
      const states = this.#byCategory[category];
      let current = event;
      if (states !== undefined || category === 'calls') {
        try {
          current = this.deps.catalog.upcast(event);
          if (states === undefined) this.deps.observe?.(current);
          else states.fold(owner, id, current);
        } catch (error) {
          throw new FoldFailed('stream-states', event, error);
        }
      }
      this.#moveTo(event.position);
      if (!this.#ready) continue;
      if (category === 'access') this.#tellAccess(owner, event.meta.traceparent);
      if (category === 'key') this.#tellKey(owner, id!, current);
      if (current.type === 'TenantPolicyChanged') this.#tellPolicy(owner, current);
      if (category === 'edge') this.#tell(this.#onEdge);
      if (category === 'region') this.#tell(this.#onRegion);
    }
  }

  #live(): void {
    if (this.#ready) return;
    this.#ready = true;
    for (const tenant of this.#access.owners()) this.#tellAccess(tenant, undefined);
    this.#tell(this.#onEdge);
    this.#settle.resolve();
  }

  #tellAccess(tenant: string, traceparent: string | undefined): void {
    const state = this.access(tenant);
    this.#tell([...this.#onAccess].map((listener) => () => listener(tenant, state, traceparent)));
  }
  #tellKey(tenant: string, key: string, event: RecordedEvent): void {
    const { traceparent } = event.meta;
    const told = event as unknown as KeyEvent;
    this.#tell([...this.#onKey].map((listener) => () => listener(tenant, key, told, traceparent)));
  }
  #tellPolicy(tenant: string, { meta }: RecordedEvent): void {
    this.#tell([...this.#onPolicy].map((listener) => () => listener(tenant, meta.traceparent)));
  }
  /** A listener that throws neither keeps the others from hearing nor stops the fold. */
  #tell(calls: Iterable<() => void>): void {
    for (const call of calls)
      try {
        call();
      } catch (error) {
        this.deps.report(error, this.#loop.state);
      }
  }

  #moveTo(position: Position): void {
    this.#at = position;
    const there = this.#reaching.filter((each) => each.position <= position);
    if (there.length === 0) return;
    this.#reaching = this.#reaching.filter((each) => each.position > position);
    for (const each of there) each.resolve();
  }

  #break(error: unknown): void {
    this.#broken ??= error;
    this.#settle.reject(error);
    for (const each of this.#reaching.splice(0)) each.reject(error);
  }
}

/** Access as it is with this lock taken; a lock that is held changes nothing. */
function taking(state: AccessState, lock: TakeLock): AccessState {
  const decision = accessDecider.decide(lock, state);
  return decision.kind === 'refused'
    ? state
    : decision.events.reduce((at, event) => accessDecider.evolve(at, event), state);
}
