import { sha256Hex } from '@kcm/crypto';
import { canonicalJson, CODES, LIMITS, type Json } from '@kcm/kernel';
import { RefusalCounts } from './refusal-counts.js';
import { UsageLedger } from './usage.js';

interface Report {
  readonly seq: number;
  readonly previous: string | null;
  readonly from: string;
  readonly to: string;
  readonly entries: readonly {
    readonly tenant: string;
    readonly operation: string;
    readonly ok: number;
    readonly moved?: readonly string[];
  }[];
  readonly closed?: readonly { readonly uid: string; readonly grantId: string }[];
  readonly last?: true;
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
    usage.settled(true);
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
    usage.settled(true);
    expect(reportsOf(usage)).toMatchObject([{ seq: 2, entries: [{ ok: 1 }] }]);
    usage.settled(true);
    expect(reportsOf(usage)).toEqual([]);
  });

  describe('of what was moved off a version', () => {
    const OLD = { key: 'l3-acme', version: 1 };
    const move = (name: string) => usage.moved('acme', OLD, 10, Buffer.from(name));
    const entriesOf = (reports: readonly Report[]) => reports.flatMap(({ entries }) => entries);

    it('name each record once, by its hash alone, however often it was moved', () => {
      for (const name of ['one', 'two', 'one', 'one']) move(name);
      usage.ok('acme', OLD, 'decrypt', 10);
      const entries = entriesOf(reportsOf(usage));
      expect(entries).toMatchObject([{ operation: 'rewrapFrom', ok: 4 }, { operation: 'decrypt' }]);
      const first8 = (name: string) => Buffer.from(sha256Hex(name), 'hex').subarray(0, 8);
      expect(entries[0]!.moved).toEqual(
        ['one', 'two'].map((name) => first8(name).toString('base64url')),
      );
      expect(entries[1]).not.toHaveProperty('moved');
    });

    it('are cut into entries and reports that Core can record, no id lost', () => {
      for (let at = 0; at < 25_000; at += 1) move(`record ${at}`);
      const reports = reportsOf(usage);
      expect(reports.length).toBeGreaterThan(1);
      for (const report of reports)
        expect(canonicalJson(report as unknown as Json).length).toBeLessThanOrEqual(
          LIMITS.usageReportBytesMax,
        );
      const entries = entriesOf(reports);
      expect(entries.reduce((sum, { ok }) => sum + ok, 0)).toBe(25_000);
      expect(new Set(entries.flatMap(({ moved = [] }) => moved)).size).toBe(25_000);
      for (const { ok, moved = [] } of entries) expect(moved.length).toBeLessThanOrEqual(ok);
    });

    it('wait for Core up to a limit; then nothing more is moved until it has recorded some', () => {
      for (let at = 0; at < LIMITS.usageMovedIdsMax; at += 1) {
        usage.assertMayMove();
        move(`record ${at}`);
      }
      const tooMany = expect.objectContaining({ code: 'rate_limited', retryAfterSeconds: 1 });
      expect(() => usage.assertMayMove()).toThrow(tooMany);
      const reports = reportsOf(usage);
      expect(() => usage.assertMayMove()).toThrow(tooMany);
      usage.settled(true);
      expect(() => usage.assertMayMove()).not.toThrow();
      for (const _ of reports.slice(1)) usage.settled(true);
      expect(usage.waiting).toBe(0);
    });
  });

  it('tell of the grants that ended, the last one of each key, after all that was done', () => {
    for (let at = 0; at < 2_000; at += 1) {
      used(`tenant-${at}`);
      for (const grantId of ['first', 'last'])
        usage.closed({ uid: `tenant-${at}/l3-${'x'.repeat(40)}/1`, grantId });
    }
    const reports = reportsOf(usage);
    for (const report of reports)
      expect(canonicalJson(report as unknown as Json).length).toBeLessThanOrEqual(
        LIMITS.usageReportBytesMax,
      );
    const closed = reports.flatMap((report) => report.closed ?? []);
    expect(closed).toHaveLength(2_000);
    expect(new Set(closed.map(({ grantId }) => grantId))).toEqual(new Set(['last']));
    const before = reports.slice(0, reports.findIndex((report) => report.closed) + 1);
    expect(before.flatMap(({ entries }) => entries)).toHaveLength(2_000);
    expect(reports.at(-1)!.entries).toEqual([]);
    for (const _ of reports) usage.settled(true);
    expect(reportsOf(usage)).toEqual([]);
  });

  describe('of a boot that ends', () => {
    const lastReportsOf = () => usage.lastReports() as unknown as readonly Report[];

    it('end with a report that says so, after those that wait, with nothing to tell too', () => {
      used('acme');
      const [waiting] = reportsOf(usage);
      used('acme');
      expect(lastReportsOf()).toMatchObject([
        { seq: 1 },
        { seq: 2, previous: hash(waiting!), entries: [{ ok: 1 }], last: true },
      ]);
      expect(waiting).not.toHaveProperty('last');
      const other = new UsageLedger('boot-2', () => now, new RefusalCounts());
      expect(other.lastReports()).toMatchObject([{ seq: 1, entries: [], last: true }]);
    });

    it('claim no end where a report was refused for good', () => {
      used('acme');
      reportsOf(usage);
      usage.settled(false);
      used('acme');
      const reports = lastReportsOf();
      expect(reports).toMatchObject([{ seq: 2 }]);
      expect(reports[0]).not.toHaveProperty('last');
    });
  });
});
