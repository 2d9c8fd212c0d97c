import { sha256Hex } from '@kcm/crypto';
import { canonicalJson, rfc3339, type Code, type Json } from '@kcm/kernel';

export type Operation = 'encrypt' | 'decrypt';
/** What a version was used for in one window; `bytes` of plaintext. */
export interface UsageCount {
  readonly key: string;
  readonly version: number;
  readonly operation: Operation;
  ok: number;
  bytes: number;
  readonly refused: Partial<Record<Code, number>>;
}
/** Key of refusals that happened before any key was known. */
const NO_KEY = { key: '-', version: 0 };

/**
 * Counts between two reports (leases.md step 10). A report is one tenant's window, numbered and
 * chained to the one before it per boot; it is repeated unchanged until Core has recorded it, and
 * what is counted meanwhile goes into the next.
 */
export class UsageLedger {
  #counts = new Map<string, Map<string, UsageCount>>();
  #from: number;
  #seq = 0;
  #previous: string | null = null;
  #unsent: Json[] = [];
  readonly totals = { encrypt: 0, decrypt: 0, refused: 0 };

  constructor(
    private readonly boot: string,
    private readonly wallMs: () => number,
  ) {
    this.#from = wallMs();
  }

  ok(tenant: string, of: { key: string; version: number }, operation: Operation, bytes: number) {
    const count = this.#of(tenant, of, operation);
    count.ok += 1;
    count.bytes += bytes;
    this.totals[operation] += 1;
  }

  /** Refusals of tenants that this Edge holds nothing of stay in the totals alone. */
  refused(
    tenant: string,
    of: { key: string; version: number } | null,
    operation: Operation,
    code: Code,
  ): void {
    this.totals.refused += 1;
    if (of === null && !this.#counts.has(tenant)) return;
    const { refused } = this.#of(tenant, of ?? NO_KEY, operation);
    refused[code] = (refused[code] ?? 0) + 1;
  }

  /** The reports to deliver, oldest first; closes the window once all earlier ones are recorded. */
  reports(): readonly Json[] {
    if (this.#unsent.length > 0) return this.#unsent;
    const to = this.wallMs();
    for (const [tenant, counts] of this.#counts) {
      this.#seq += 1;
      const report = {
        boot: this.boot,
        seq: this.#seq,
        previous: this.#previous,
        window: { from: rfc3339(this.#from), to: rfc3339(to) },
        tenant,
        entries: [...counts.values()].map((count) => ({ ...count })),
      };
      this.#previous = sha256Hex(canonicalJson(report));
      this.#unsent.push(report);
    }
    this.#counts = new Map();
    this.#from = to;
    return this.#unsent;
  }

  /** The oldest report has been recorded. */
  recorded(): void {
    this.#unsent.shift();
  }

  get pending(): number {
    return this.#unsent.length;
  }

  #of(
    tenant: string,
    { key, version }: { key: string; version: number },
    operation: Operation,
  ): UsageCount {
    let counts = this.#counts.get(tenant);
    if (counts === undefined) this.#counts.set(tenant, (counts = new Map()));
    const name = `${key} ${version} ${operation}`;
    let count = counts.get(name);
    if (count === undefined) {
      count = { key, version, operation, ok: 0, bytes: 0, refused: {} };
      counts.set(name, count);
    }
    return count;
  }
}
