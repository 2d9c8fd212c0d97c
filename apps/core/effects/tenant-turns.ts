/** One effect of a tenant's keys at a time: a creation never overlaps a shred. */
export class TenantTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  async alone<T>(tenant: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(tenant) ?? Promise.resolve();
    const mine = before.then(act, act);
    this.#last.set(tenant, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(tenant) === mine) this.#last.delete(tenant);
    }
  }
}
