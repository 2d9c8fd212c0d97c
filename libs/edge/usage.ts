import { sha256Hex } from '@kcm/crypto';
import { canonicalJson, LIMITS, rfc3339, type Code, type Json } from '@kcm/kernel';
import type { RefusalCounts } from './refusal-counts.js';

export type Operation = 'encrypt' | 'decrypt';
/** What a version was used for in one window; `bytes` of plaintext. */
export interface UsageCount {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
  readonly operation: Operation;
  ok: number;
  readonly refused: Partial<Record<Code, number>>;
  bytes: number;
}
interface Version {
  readonly key: string;
  readonly version: number;
}
/** Key of refusals that happened before any key was known. */
const NO_KEY: Version = { key: '-', version: 0 };
/** What a report holds beside its entries. */
const HEAD_BYTES_MAX = 512;

/**
 * Counts between two reports (leases.md step 10). A report is a window, numbered and chained to the
 * one before it per boot; it is repeated unchanged until Core has recorded it, and what is counted
 * meanwhile goes into the next.
 */
export class UsageLedger {
  #counts = new Map<string, UsageCount>();
  #hot = {
    encrypt: new WeakMap<Version, UsageCount>(),
    decrypt: new WeakMap<Version, UsageCount>(),
  };
  readonly #tenants = new Set<string>();
  #from: number;
  #seq = 0;
  #previous: string | null = null;
  readonly #unsent: Json[] = [];
  readonly totals = { encrypt: 0, decrypt: 0 };

  constructor(
    private readonly boot: string,
    private readonly wallMs: () => number,
    private readonly refusals: RefusalCounts,
  ) {
    this.#from = wallMs();
  }

  /** `of`: the same object for the same tenant and version, so that it is found by identity. */
  ok(tenant: string, of: Version, operation: Operation, bytes: number): void {
    let count = this.#hot[operation].get(of);
    if (count === undefined) {
      count = this.#of(tenant, of, operation);
      this.#hot[operation].set(of, count);
      this.#tenants.add(tenant);
    }
    count.ok += 1;
    count.bytes += bytes;
    this.totals[operation] += 1;
  }

  /** Whether this boot has done anything for the tenant: a name that Core knows too. */
  served(tenant: string): boolean {
    return this.#tenants.has(tenant);
  }

  /** Refusals of tenants that were never served here stay in the counts alone. */
  refused(tenant: string, of: Version | null, operation: Operation, code: Code): void {
    this.refusals.add(operation, code);
    if (of === null && !this.#tenants.has(tenant)) return;
    const { refused } = this.#of(tenant, of ?? NO_KEY, operation);
    refused[code] = (refused[code] ?? 0) + 1;
  }

  /** The reports to deliver, oldest first; closes the window once all earlier ones are recorded. */
  reports(): readonly Json[] {
    if (this.#unsent.length > 0) return this.#unsent.slice();
    const to = this.wallMs();
    for (const entries of portions([...this.#counts.values()])) {
      this.#seq += 1;
      const report = {
        boot: this.boot,
        seq: this.#seq,
        previous: this.#previous,
        from: rfc3339(this.#from),
        to: rfc3339(to),
        entries,
      };
      this.#previous = sha256Hex(canonicalJson(report as unknown as Json));
      this.#unsent.push(report as unknown as Json);
    }
    this.#counts = new Map();
    this.#hot = { encrypt: new WeakMap(), decrypt: new WeakMap() };
    this.#from = to;
    return this.#unsent.slice();
  }

  /** Reports that are not recorded yet. */
  get waiting(): number {
    return this.#unsent.length;
  }

  /** The oldest report need not be sent again. */
  settled(): void {
    this.#unsent.shift();
  }

  #of(tenant: string, { key, version }: Version, operation: Operation): UsageCount {
    const name = `${tenant} ${key} ${version} ${operation}`;
    let count = this.#counts.get(name);
    if (count === undefined) {
      count = { tenant, key, version, operation, ok: 0, refused: {}, bytes: 0 };
      this.#counts.set(name, count);
    }
    return count;
  }
}

/** What fits into one report each: everything in an entry is ASCII. */
function portions(counts: readonly UsageCount[]): UsageCount[][] {
  const portions: UsageCount[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const count of counts) {
    const more = JSON.stringify(count).length + 1;
    if (bytes + more > LIMITS.usageReportBytesMax - HEAD_BYTES_MAX) {
      portions.push([]);
      bytes = 0;
    }
    portions.at(-1)!.push(count);
    bytes += more;
  }
  return portions;
}
