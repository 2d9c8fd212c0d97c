import { type Recorded, USES } from '@kcm/domain';

/** How often data keys of a tenant were given out in the clear, as far as Edges have told. */
export class Exports {
  readonly #given = new Map<string, number>();

  of(tenant: string): number {
    return this.#given.get(tenant) ?? 0;
  }

  /** Folds `UsageReported`; any other event changes nothing. */
  apply(event: Recorded): void {
    if (event.type !== 'UsageReported') return;
    for (const { tenant, operation, ok } of event.data.entries)
      if (USES[operation].exports === true) this.#given.set(tenant, this.of(tenant) + ok);
  }
}
