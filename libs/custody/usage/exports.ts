import type { Recorded } from '@kcm/domain';

const GIVEN_OUT: ReadonlySet<string> = new Set(['dataKey', 'dataKeyUnwrap']);

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
      if (GIVEN_OUT.has(operation)) this.#given.set(tenant, this.of(tenant) + ok);
  }
}
