import type { Code } from '@kcm/kernel';
import type { UsageOperation } from '@kcm/kmip';

/** `none`: refused before it was known what was asked for. */
export type Asked = UsageOperation | 'none';

/** Refusals since the start by what was asked and code: both from closed lists. */
export class RefusalCounts {
  readonly #counts = new Map<Asked, Map<Code, number>>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(asked: Asked, code: Code): void {
    this.#total += 1;
    const of = this.#counts.get(asked) ?? new Map<Code, number>();
    this.#counts.set(asked, of);
    of.set(code, (of.get(code) ?? 0) + 1);
  }

  *each(): Iterable<{ readonly asked: Asked; readonly code: Code; readonly count: number }> {
    for (const [asked, of] of this.#counts)
      for (const [code, count] of of) yield { asked, code, count };
  }
}
