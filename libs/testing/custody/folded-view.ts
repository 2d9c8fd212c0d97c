import {
  type AccessState,
  decidersByCategory,
  type DecidedCategory,
  type Decider,
  type DomainEvent,
  type EdgeState,
  type KeyEvent,
  type KeyState,
  type RegionState,
  type RevocationState,
  type RootKeysState,
  type StateOf,
  type TenantState,
} from '@kcm/domain';
import {
  parseStream,
  type Position,
  type RecordedEvent,
  streamOf,
  type StreamId,
} from '@kcm/kernel';

type KeyListener = (tenant: string, key: string, event: KeyEvent) => void;
type AccessListener = (tenant: string, state: AccessState) => void;

/** What Core decides by, folded from events as they are handed over; a test may hold it back. */
export class FoldedView {
  readonly #states = new Map<StreamId, unknown>();
  readonly #ids = new Map<string, Set<string>>();
  readonly #tenants = new Set<string>();
  readonly #listeners = new Set<AccessListener>();
  readonly #keyListeners = new Set<KeyListener>();
  readonly #policyListeners = new Set<(tenant: string) => void>();
  readonly #edges = new Set<() => void>();
  #waiting: { readonly position: Position; readonly resolve: () => void }[] = [];
  #held: RecordedEvent[] | null = null;
  #at = '' as Position;

  constructor(private readonly region_ = 'local') {}

  readonly fold = (events: readonly RecordedEvent[]): void => {
    if (this.#held !== null) {
      this.#held.push(...events);
      return;
    }
    for (const event of events) this.#one(event);
    this.#waiting = this.#waiting.filter(({ position, resolve }) => {
      if (position > this.#at) return true;
      resolve();
      return false;
    });
  };

  /** From now on events wait: the view lags. */
  hold(): void {
    this.#held = [];
  }
  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.fold(held);
  }

  region = (): RegionState => this.#state('region', streamOf('region', this.region_));
  tenant = (tenant: string): TenantState => this.#state('tenant', streamOf('tenant', tenant));
  access = (tenant: string): AccessState => this.#state('access', streamOf('access', tenant));
  rootKeys = (tenant: string): RootKeysState =>
    this.#state('rootkeys', streamOf('rootkeys', tenant));
  edge = (edge: string): EdgeState => this.#state('edge', streamOf('edge', this.region_, edge));
  keys = (tenant: string): ReadonlyMap<string, KeyState> => this.#many('key', tenant);
  revocations = (tenant: string): ReadonlyMap<string, RevocationState> =>
    this.#many('revocation', tenant);
  tenants = (): Iterable<string> => this.#tenants;

  reached = (position: Position): Promise<void> =>
    position <= this.#at
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#waiting.push({ position, resolve });
        });

  onAccess = (listener: AccessListener): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  onKey = (listener: KeyListener): (() => void) => {
    this.#keyListeners.add(listener);
    return () => this.#keyListeners.delete(listener);
  };

  onPolicy = (listener: (tenant: string) => void): (() => void) => {
    this.#policyListeners.add(listener);
    return () => this.#policyListeners.delete(listener);
  };

  onEdge = (listener: () => void): (() => void) => {
    this.#edges.add(listener);
    return () => this.#edges.delete(listener);
  };

  #one(event: RecordedEvent): void {
    const { stream, position } = event;
    const { category, owner, id } = parseStream(stream);
    this.#at = position;
    if (!(category in decidersByCategory)) return;
    const decider = decidersByCategory[category as DecidedCategory] as unknown as Decider<
      unknown,
      unknown,
      DomainEvent
    >;
    const before = this.#states.get(stream) ?? decider.initial;
    this.#states.set(stream, decider.evolve(before, event));
    if (category === 'tenant') this.#tenants.add(owner);
    if (id !== null) {
      const slot = `${category}-${owner}`;
      this.#ids.set(slot, (this.#ids.get(slot) ?? new Set()).add(id));
    }
    if (category === 'key')
      for (const listener of this.#keyListeners) listener(owner, id!, event as unknown as KeyEvent);
    if (event.type === 'TenantPolicyChanged')
      for (const listener of this.#policyListeners) listener(owner);
    if (category === 'edge') for (const listener of this.#edges) listener();
    if (category === 'access')
      for (const listener of this.#listeners) listener(owner, this.access(owner));
  }

  #state<K extends DecidedCategory>(category: K, stream: StreamId): StateOf<K> {
    const known = this.#states.get(stream) as StateOf<K> | undefined;
    return known ?? decidersByCategory[category].initial;
  }

  #many<K extends 'key' | 'revocation'>(category: K, tenant: string): Map<string, StateOf<K>> {
    const ids = this.#ids.get(`${category}-${tenant}`) ?? [];
    return new Map(
      [...ids].map((id) => [id, this.#state(category, streamOf(category, tenant, id))]),
    );
  }
}
