import type { Secret } from '@kcm/crypto';
import { type KeyVersionId, keyVersionUid } from '@kcm/kernel';

interface L3Slot {
  readonly service: string;
  readonly key: Secret;
}
interface TenantKeys {
  /** By version. */
  readonly l2: Map<number, Secret>;
  /** By unique identifier. */
  readonly l3: Map<string, L3Slot>;
}

/** Every opened L2 and L3 of this process; it owns them, and dropping fills them with zeros. */
export class KeyMemory {
  readonly #tenants = new Map<string, TenantKeys>();

  /**
   * Takes ownership. A key that is there already stays, since it may be lent out just now; the new
   * one, equal by its commitment, is disposed of.
   */
  putL2(tenant: string, version: number, key: Secret): void {
    const { l2 } = this.#of(tenant);
    if (l2.has(version)) key.dispose();
    else l2.set(version, key);
  }

  l2(tenant: string, version: number): Secret | null {
    return this.#tenants.get(tenant)?.l2.get(version) ?? null;
  }

  /** As putL2. */
  putL3(tenant: string, uid: string, service: string, key: Secret): void {
    const { l3 } = this.#of(tenant);
    if (l3.has(uid)) key.dispose();
    else l3.set(uid, { service, key });
  }

  l3(tenant: string, uid: string): Secret | null {
    return this.#tenants.get(tenant)?.l3.get(uid)?.key ?? null;
  }

  /** `service` null: the whole tenant, L2 included. How many keys were filled with zeros. */
  drop(tenant: string, service: string | null): number {
    const keys = this.#tenants.get(tenant);
    if (keys === undefined) return 0;
    let dropped = 0;
    for (const [uid, slot] of keys.l3) {
      if (service !== null && slot.service !== service) continue;
      slot.key.dispose();
      keys.l3.delete(uid);
      dropped += 1;
    }
    if (service !== null) return dropped;
    for (const key of keys.l2.values()) key.dispose();
    dropped += keys.l2.size;
    this.#tenants.delete(tenant);
    return dropped;
  }

  /** One version that nobody may use any more. */
  dropVersion({ tenant, key, version }: KeyVersionId, level: 'L2' | 'L3'): void {
    const keys = this.#tenants.get(tenant);
    if (keys === undefined) return;
    const uid = keyVersionUid({ tenant, key, version });
    const held = level === 'L2' ? keys.l2.get(version) : keys.l3.get(uid)?.key;
    held?.dispose();
    if (level === 'L2') keys.l2.delete(version);
    else keys.l3.delete(uid);
  }

  dropAll(): void {
    for (const tenant of this.#tenants.keys()) this.drop(tenant, null);
  }

  holds(tenant: string): boolean {
    return this.#tenants.has(tenant);
  }

  #of(tenant: string): TenantKeys {
    let keys = this.#tenants.get(tenant);
    if (keys === undefined) {
      keys = { l2: new Map(), l3: new Map() };
      this.#tenants.set(tenant, keys);
    }
    return keys;
  }
}
