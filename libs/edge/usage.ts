import { sha256Hex } from '@kcm/crypto';
import { canonicalJson, KcmError, LIMITS, rfc3339, type Code, type Json } from '@kcm/kernel';
import {
  USAGE_OPERATIONS,
  type UsageOperation,
  type UsageStatementClosed,
  type UsageStatementEntry,
} from '@kcm/kmip';
import type { RefusalCounts } from './refusal-counts.js';

export type Operation = UsageOperation;
/** What a version was used for in one window; `bytes` of plaintext. */
export interface UsageCount {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
  readonly operation: Operation;
  ok: number;
  readonly refused: Partial<Record<Code, number>>;
  bytes: number;
  /** As `UsageStatementEntry.moved`; each once. */
  moved: Set<string> | null;
}
interface Report {
  readonly report: Json;
  /** Ids in it. */
  readonly moved: number;
}
interface Version {
  readonly key: string;
  readonly version: number;
}
/** Key of refusals that happened before any key was known. */
const NO_KEY: Version = { key: '-', version: 0 };
/** What a report holds beside its entries. */
const HEAD_BYTES_MAX = 512;
/** Ids in one entry: many entries fit into a report, and one always does. */
const ENTRY_MOVED_MAX = 1_000;
const MOVED_ID_BYTES = 8;

const none = <T>(make: () => T): Record<Operation, T> =>
  Object.fromEntries(USAGE_OPERATIONS.map((operation) => [operation, make()])) as never;

/**
 * Counts between two reports (leases.md step 10). A report is a window, numbered and chained to the
 * one before it per boot; it is repeated unchanged until Core has recorded it, and what is counted
 * meanwhile goes into the next.
 */
export class UsageLedger {
  #counts = new Map<string, UsageCount>();
  #hot = none(() => new WeakMap<Version, UsageCount>());
  readonly #tenants = new Set<string>();
  #from: number;
  #seq = 0;
  #previous: string | null = null;
  readonly #unsent: Report[] = [];
  /** Grants that ended in this window, by uid: the last one of each. */
  #closed = new Map<string, string>();
  /** Ids that are not recorded yet. */
  #moved = 0;
  /** A report was refused for good: what this boot told has a hole. */
  #lost = false;
  readonly totals = none(() => 0);

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

  /** @throws KcmError rate_limited while too much that was moved is not recorded yet */
  assertMayMove(): void {
    if (this.#moved < LIMITS.usageMovedIdsMax) return;
    throw new KcmError('rate_limited', 'Core has not recorded yet what was moved before.', {
      retryAfterSeconds: 1,
    });
  }

  /** One use as `rewrapFrom` of `of`, which is not used for this record any more. */
  moved(tenant: string, of: Version, bytes: number, record: Uint8Array): void {
    this.ok(tenant, of, 'rewrapFrom', bytes);
    const count = this.#of(tenant, of, 'rewrapFrom');
    const id = Buffer.from(sha256Hex(record), 'hex').toString('base64url', 0, MOVED_ID_BYTES);
    count.moved ??= new Set();
    if (!count.moved.has(id)) this.#moved += 1;
    count.moved.add(id);
    if (count.moved.size < ENTRY_MOVED_MAX) return;
    this.#counts.delete(nameOf(count));
    this.#counts.set(`${nameOf(count)} ${this.#counts.size}`, count);
    this.#hot.rewrapFrom.delete(of);
  }

  /** Nothing more is protected under the grant: what was is counted. */
  closed({ uid, grantId }: UsageStatementClosed): void {
    this.#closed.set(uid, grantId);
  }

  /** The reports to deliver, oldest first; closes the window once all earlier ones are recorded. */
  reports(): readonly Json[] {
    if (this.#unsent.length === 0) this.#close(false);
    return this.#unsent.map(({ report }) => report);
  }

  /** After the last use: as above, and the last of them says that there are no more. */
  lastReports(): readonly Json[] {
    this.#close(!this.#lost);
    return this.#unsent.map(({ report }) => report);
  }

  /** Reports that are not recorded yet. */
  get waiting(): number {
    return this.#unsent.length;
  }

  /** The oldest report need not be sent again: it is recorded, or it never will be. */
  settled(recorded: boolean): void {
    this.#moved -= this.#unsent.shift()?.moved ?? 0;
    if (!recorded) this.#lost = true;
  }

  #close(last: boolean): void {
    const to = this.wallMs();
    const counted = portions([
      ...[...this.#counts.values()].map(entryOf),
      ...[...this.#closed].map(([uid, grantId]) => ({ uid, grantId })),
    ]);
    if (last && counted.length === 0) counted.push([]);
    for (const [at, told] of counted.entries()) {
      const entries = told.filter((one) => 'tenant' in one);
      const closed = told.filter((one) => 'uid' in one);
      this.#seq += 1;
      const report: Json = {
        boot: this.boot,
        seq: this.#seq,
        previous: this.#previous,
        from: rfc3339(this.#from),
        to: rfc3339(to),
        entries: entries as unknown as Json,
        ...(closed.length === 0 ? {} : { closed: closed as unknown as Json }),
        ...(last && at === counted.length - 1 ? { last } : {}),
      };
      this.#previous = sha256Hex(canonicalJson(report));
      const moved = entries.reduce((sum, entry) => sum + (entry.moved?.length ?? 0), 0);
      this.#unsent.push({ report, moved });
    }
    this.#counts = new Map();
    this.#closed = new Map();
    this.#hot = none(() => new WeakMap<Version, UsageCount>());
    this.#from = to;
  }

  #of(tenant: string, { key, version }: Version, operation: Operation): UsageCount {
    const of = { tenant, key, version, operation };
    let count = this.#counts.get(nameOf(of));
    if (count === undefined) {
      count = { ...of, ok: 0, refused: {}, bytes: 0, moved: null };
      this.#counts.set(nameOf(of), count);
    }
    return count;
  }
}

type Counted = Pick<UsageCount, 'tenant' | 'key' | 'version' | 'operation'>;
const nameOf = ({ tenant, key, version, operation }: Counted): string =>
  `${tenant} ${key} ${version} ${operation}`;

const entryOf = ({ moved, ...count }: UsageCount): UsageStatementEntry =>
  moved === null ? count : { ...count, moved: [...moved] };

type Told = UsageStatementEntry | UsageStatementClosed;
/** What fits into one report each, in order: everything in it is ASCII. */
function portions(all: readonly Told[]): Told[][] {
  const portions: Told[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const told of all) {
    const more = JSON.stringify(told).length + 1;
    if (bytes + more > LIMITS.usageReportBytesMax - HEAD_BYTES_MAX) {
      portions.push([]);
      bytes = 0;
    }
    portions.at(-1)!.push(told);
    bytes += more;
  }
  return portions;
}
