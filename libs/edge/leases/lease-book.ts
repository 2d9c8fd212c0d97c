import type { L3Handle } from '../records/l3-handle.js';

/** The handles an Edge holds: by (service, uid), and the current one of each (service, tenant). */
export class LeaseBook {
  /** @param onDropped of each handle, once */
  constructor(private readonly onDropped: (handle: L3Handle) => void) {}

  readonly #handles = new Map<string, L3Handle>();
  readonly #current = new Map<string, Map<string, L3Handle>>();
  /** Ids of the keys that serve (service, tenant) and of which no version is held as current. */
  readonly #keys = new Map<string, string>();

  get(service: string, uid: string): L3Handle | null {
    return this.#handles.get(nameOf(service, uid)) ?? null;
  }

  add(handle: L3Handle): void {
    this.#handles.set(nameOf(handle.service, handle.uid), handle);
  }

  current(service: string, tenant: string): L3Handle | null {
    return this.#current.get(service)?.get(tenant) ?? null;
  }

  isCurrent(handle: L3Handle): boolean {
    return this.current(handle.service, handle.tenant) === handle;
  }

  makeCurrent(handle: L3Handle): void {
    if (handle.dropped) return;
    let tenants = this.#current.get(handle.service);
    if (tenants === undefined) this.#current.set(handle.service, (tenants = new Map()));
    tenants.set(handle.tenant, handle);
  }

  /** The id of the one key that serves (service, tenant), as Core has located it. */
  located(service: string, tenant: string, key: string): void {
    this.#keys.set(nameOf(service, tenant), key);
  }

  keyOf(service: string, tenant: string): string | null {
    return this.#keys.get(nameOf(service, tenant)) ?? null;
  }

  all(): readonly L3Handle[] {
    return [...this.#handles.values()];
  }

  ofTenant(tenant: string): readonly L3Handle[] {
    return this.all().filter((handle) => handle.tenant === tenant);
  }

  drop(handles: readonly L3Handle[]): void {
    for (const handle of handles) {
      if (!handle.dropped) this.onDropped(handle);
      handle.drop();
      const name = nameOf(handle.service, handle.uid);
      if (this.#handles.get(name) === handle) this.#handles.delete(name);
      if (this.isCurrent(handle)) this.#current.get(handle.service)?.delete(handle.tenant);
    }
  }
}

const nameOf = (service: string, of: string): string => `${service} ${of}`;
