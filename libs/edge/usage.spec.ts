import { sha256Hex } from '@kcm/crypto';
import { canonicalJson, CODES, LIMITS, type Json } from '@kcm/kernel';
import { RefusalCounts } from './refusal-counts.js';
import { UsageLedger } from './usage.js';

interface Report {
  readonly seq: number;
  readonly previous: string | null;
  readonly from: string;
  readonly to: string;
  readonly entries: readonly { readonly tenant: string; readonly ok: number }[];
}
const reportsOf = (usage: UsageLedger) => usage.reports() as unknown as readonly Report[];
const hash = (report: Report) => sha256Hex(canonicalJson(report as unknown as Json));

describe('Usage counts', () => {
  let now = 0;
  let usage: UsageLedger;
  beforeEach(() => {
    now = Date.parse('2030-01-01T00:00:00Z');
    usage = new UsageLedger('boot-1', () => now, new RefusalCounts());
  });
  const used = (tenant: string, version = 1) =>
    usage.ok(tenant, { key: `l3-${tenant}`, version }, 'encrypt', 10);

  it('of many tenants leave in reports that Core can record, none counted twice or lost', () => {
    for (let at = 0; at < 5_000; at += 1) {
      const tenant = `tenant-${at}`.padEnd(64, 'x');
      used(tenant);
      for (const code of CODES) usage.refused(tenant, null, 'decrypt', code);
    }
    const reports = reportsOf(usage);
    expect(reports.length).toBeGreaterThan(1);
    for (const report of reports)
      expect(canonicalJson(report as unknown as Json).length).toBeLessThanOrEqual(
        LIMITS.usageReportBytesMax,
      );
    const entries = reports.flatMap((report) => report.entries);
    expect(entries).toHaveLength(10_000);
    expect(new Set(entries.map(({ tenant }) => tenant)).size).toBe(5_000);
    expect(entries.reduce((sum, { ok }) => sum + ok, 0)).toBe(5_000);
  });

  it('are numbered without a gap and chained by hash, over windows that meet', () => {
    used('acme');
    now += 1_000;
    const [first] = reportsOf(usage);
    usage.settled();
    used('acme');
    now += 1_000;
    const [second] = reportsOf(usage);
    expect([first!.seq, second!.seq]).toEqual([1, 2]);
    expect([first!.previous, second!.previous]).toEqual([null, hash(first!)]);
    expect(second!.from).toBe(first!.to);
  });

  it('are repeated unchanged until they are settled; what came meanwhile goes into the next', () => {
    used('acme');
    const before = reportsOf(usage);
    used('acme');
    expect(reportsOf(usage)).toEqual(before);
    usage.settled();
    expect(reportsOf(usage)).toMatchObject([{ seq: 2, entries: [{ ok: 1 }] }]);
    usage.settled();
    expect(reportsOf(usage)).toEqual([]);
  });
});
