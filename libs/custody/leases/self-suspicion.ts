import { isConnected } from '@kcm/domain';
import { LIMITS } from '@kcm/kernel';
import type { CoreView } from '../core-view.js';
import { providerOf } from '../calls/keystore-calls.js';

/**
 * Many tenants of one provider denied at once: then it is more likely us than all of them (a lost
 * identity, a withdrawn account). While that is suspected nobody's access is closed for it; leases
 * just end. One success at that provider ends the suspicion.
 */
export class SelfSuspicion {
  /** provider → tenant → when it was last denied (monotonic ms). */
  readonly #denied = new Map<string, Map<string, number>>();
  readonly #suspect = new Set<string>();

  constructor(private readonly view: Pick<CoreView, 'tenants' | 'rootKeys'>) {}

  /** How many are suspected now. */
  get providers(): number {
    return this.#suspect.size;
  }

  /** True when this denial is more likely our own fault. */
  denied(provider: string, tenant: string, nowMs: number): boolean {
    const recent = this.#denied.get(provider) ?? new Map<string, number>();
    this.#denied.set(provider, recent);
    recent.set(tenant, nowMs);
    for (const [who, at] of recent) if (nowMs - at > LIMITS.selfSuspectWindowMs) recent.delete(who);
    const many = recent.size >= LIMITS.selfSuspectTenantsMin;
    if (many && recent.size * 2 >= this.#tenantsOf(provider)) this.#suspect.add(provider);
    return this.#suspect.has(provider);
  }

  proved(provider: string, tenant: string): void {
    this.#suspect.delete(provider);
    this.#denied.get(provider)?.delete(tenant);
  }

  #tenantsOf(provider: string): number {
    let tenants = 0;
    for (const tenant of this.view.tenants()) {
      const state = this.view.rootKeys(tenant);
      if (state.status === 'none') continue;
      const entries = [...state.keys.values()].filter(isConnected);
      if (entries.some((entry) => providerOf(entry) === provider)) tenants += 1;
    }
    return tenants;
  }
}
