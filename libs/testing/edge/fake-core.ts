import type {
  CachePolicy,
  CorePort,
  Delivery,
  Lease,
  LeasedState,
  Proof,
  Refusal,
} from '@kcm/edge';
import { Secret } from '@kcm/crypto';
import { type Code, type Json, systemRandom } from '@kcm/kernel';

export const CACHED: CachePolicy = {
  ttlSeconds: 300,
  maxUses: 1e9,
  maxAgeSeconds: 600,
  off: false,
};

/** Where a version stands; as it was made: active while it is the newest, else deactivated. */
type FakeStanding = 'deactivated' | 'compromised' | 'processing' | 'archived' | 'destroyed';
interface FakeKey {
  readonly key: string;
  readonly versions: Buffer[];
  readonly standings: Map<number, FakeStanding>;
}
interface FakeTenant {
  readonly keys: Map<string, FakeKey>;
  term: number;
  epoch: number;
  access: Proof['access'];
  /** Data keys may be given out. */
  exports: boolean;
  /** Set: Core refuses with this code. */
  denied: Code | null;
  /** True time at which the proof that leases rest on ends. */
  proofEndsAt: number;
}

/**
 * Core's side of the leases as arithmetic: tenants, proofs with an end, epochs. Answers in the next
 * microtask, or when `release` is called while `holding`.
 */
export class FakeCore implements CorePort {
  readonly tenants = new Map<string, FakeTenant>();
  readonly statements: { readonly kind: string; readonly statement: Json }[] = [];
  readonly asked = { lease: 0, leaseOld: 0, renew: 0 };
  policy: CachePolicy = CACHED;
  reachable = true;
  /** The customer's keystore answers: a new proof can be had. */
  provable = true;
  holding = false;
  /** Whole milliseconds of one proof. */
  ttlMs = 60_000;
  readonly #held: (() => void)[] = [];
  #grants = 0;

  constructor(private readonly trueMs: () => number = () => performance.now()) {}

  add(tenant: string, service: string): FakeTenant {
    const known = this.tenants.get(tenant) ?? {
      keys: new Map<string, FakeKey>(),
      term: 1,
      epoch: 1,
      access: 'open',
      exports: false,
      denied: null,
      proofEndsAt: 0,
    };
    this.tenants.set(tenant, known);
    const key = `l3-${Buffer.from(`${tenant}${service}`).toString('hex').padEnd(12, '0').slice(-12)}`;
    const standings = new Map<number, FakeStanding>();
    known.keys.set(service, { key, versions: [systemRandom.bytes(32)], standings });
    return known;
  }

  rotate(tenant: string, service: string): void {
    this.tenants.get(tenant)!.keys.get(service)!.versions.push(systemRandom.bytes(32));
  }

  /** `as` null: as it was made. */
  stand(tenant: string, service: string, version: number, as: FakeStanding | null): void {
    const { standings } = this.tenants.get(tenant)!.keys.get(service)!;
    if (as === null) standings.delete(version);
    else standings.set(version, as);
  }

  keyOf(tenant: string, service: string): string {
    return this.tenants.get(tenant)!.keys.get(service)!.key;
  }

  /** Lets all held answers go. */
  release(): void {
    for (const go of this.#held.splice(0)) go();
  }

  lease(tenant: string, service: string, allocation: number | null): Promise<Lease | Refusal> {
    this.asked.lease += 1;
    const key = this.tenants.get(tenant)?.keys.get(service);
    return this.#deliver(
      key === undefined
        ? this.#unlessCut(() => refusal('denied', 'not_found'))
        : this.#unlessCut(() => this.#lease(tenant, key, key.versions.length, allocation)),
    );
  }

  leaseOld(uid: string): Promise<Lease | Refusal> {
    this.asked.leaseOld += 1;
    return this.#deliver(this.#unlessCut(() => this.#byUid(uid)));
  }

  renew(uids: readonly string[]): Promise<readonly (Proof | Refusal)[]> {
    this.asked.renew += 1;
    return this.#deliver(
      uids.map((uid) =>
        this.#unlessCut(() => {
          const lease = this.#byUid(uid);
          if (!lease.ok) return lease;
          lease.l3.dispose();
          return lease;
        }),
      ),
    );
  }

  state(kind: 'ack' | 'usage', statement: Json): Promise<Delivery> {
    if (this.reachable) this.statements.push({ kind, statement });
    return Promise.resolve(this.reachable ? 'recorded' : 'unheard');
  }

  #byUid(uid: string): Lease | Refusal {
    const [tenant, id, version] = uid.split('/') as [string, string, string];
    const keys = [...(this.tenants.get(tenant)?.keys.values() ?? [])];
    const key = keys.find((known) => known.key === id);
    if (key === undefined || Number(version) > key.versions.length)
      return refusal('denied', 'not_found');
    return this.#lease(tenant, key, Number(version));
  }

  #lease(
    tenant: string,
    { key, versions, standings }: FakeKey,
    version: number,
    allocation: number | null = null,
  ): Lease | Refusal {
    const known = this.tenants.get(tenant)!;
    if (known.denied !== null) return refusal('denied', known.denied);
    if (allocation !== null && known.access === 'readOnly')
      return refusal('denied', 'tenant_read_only');
    const uid = `${tenant}/${key}/${version}`;
    const replaced = version < versions.length;
    const standing = standings.get(version) ?? (replaced ? 'deactivated' : 'active');
    if (standing === 'archived' || standing === 'destroyed')
      return { ...refusal('denied', `key_${standing}`), uid };
    const state: LeasedState = standing === 'processing' ? 'compromised' : standing;
    if (allocation !== null && state === 'compromised') return refusal('denied', 'key_compromised');
    if (allocation !== null && state === 'deactivated')
      return refusal('indeterminate', 'key_not_active');
    const now = this.trueMs();
    if (this.provable) known.proofEndsAt = now + this.ttlMs;
    const seconds = Math.floor((known.proofEndsAt - now) / 1000);
    if (seconds < 1) return refusal('indeterminate', 'root_key_unreachable');
    return {
      ok: true,
      uid,
      key,
      version,
      seconds,
      access: known.access,
      state,
      replaced,
      mayProtect: known.access === 'open' && state === 'active',
      mayExport: known.exports,
      mayProcess: standing !== 'compromised',
      term: known.term,
      epoch: known.epoch,
      grantId: `grant-${(this.#grants += 1)}`,
      policy: this.policy,
      l3: Secret.copy(versions[version - 1]!),
    };
  }

  #unlessCut<T>(answer: () => T): T | Refusal {
    return this.reachable ? answer() : refusal('indeterminate', 'lease_expired');
  }

  /** Decided now, delivered now or later: as on a network. */
  #deliver<T>(answer: T): Promise<T> {
    if (!this.holding) return Promise.resolve(answer);
    return new Promise((resolve) => this.#held.push(() => resolve(answer)));
  }
}

const refusal = (effect: Refusal['effect'], code: Code): Refusal => ({ ok: false, effect, code });
