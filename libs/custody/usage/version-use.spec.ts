import type { Grant, Recorded, UsageEntry } from '@kcm/domain';
import { keyVersionUid } from '@kcm/kernel';
import { VersionUse } from './version-use.js';

const uid = keyVersionUid({ tenant: 'acme', key: 'l3-1', version: 1 });
const of = { tenant: 'acme', key: 'l3-1', version: 1 } as const;

describe('What hangs from a key version', () => {
  let use: VersionUse;
  let at: number;
  let seqs: Record<string, number>;
  beforeEach(() => {
    at = 0;
    use = new VersionUse({ monotonicMs: () => at });
    seqs = {};
  });
  const event = (type: string, data: object) =>
    use.apply({ type, data, meta: { tenant: 'acme' } } as unknown as Recorded);
  const granted = (grantId: string, more: Partial<Grant> = {}, type = 'LeasesGranted') =>
    event(type, {
      grants: [
        { holder: 'edge:e1', boot: 'b1', key: 'l3-1', version: 1, grantId, seconds: 60, ...more },
      ],
    });
  const told = (
    entries: readonly Partial<UsageEntry>[],
    more: { boot?: string; seq?: number; closed?: readonly string[]; last?: true } = {},
  ) => {
    const { boot = 'b1', closed, ...rest } = more;
    const seq = more.seq ?? (seqs[boot] ?? 0) + 1;
    seqs[boot] = seq;
    event('UsageReported', {
      holder: 'edge:e1',
      boot,
      seq,
      entries: entries.map((entry) => ({ ...of, ok: 0, ...entry })),
      ...(closed && { closed: closed.map((grantId) => ({ uid, grantId })) }),
      ...rest,
    });
  };
  const now = () => {
    const { inUse, unreported } = use.of('acme', 'l3-1', 1);
    return { inUse, unreported };
  };

  it('is what was protected less what was moved off, each thing once', () => {
    granted('g1');
    told([
      { operation: 'encrypt', ok: 5 },
      { operation: 'dataKey', ok: 2 },
      { operation: 'rewrapTo', ok: 1 },
      { operation: 'decrypt', ok: 100 },
    ]);
    expect(now().inUse).toBe(8);
    told([{ operation: 'rewrapFrom', ok: 3, moved: ['a', 'b', 'c'] }]);
    told([{ operation: 'rewrapFrom', ok: 3, moved: ['a', 'b', 'c'] }]);
    expect(now().inUse).toBe(5);
  });

  it('is unknown while a boot that might protect has more to tell', () => {
    granted('g1');
    expect(now().unreported).toBe(1);
    told([{ operation: 'encrypt', ok: 1 }]);
    expect(now().unreported).toBe(1);
    told([], { closed: ['g1'] });
    expect(now()).toEqual({ inUse: 1, unreported: 0 });
  });

  it('a report that was under way while another grant was given closes only the one before', () => {
    granted('g1');
    granted('g2');
    told([], { closed: ['g1'] });
    expect(now().unreported).toBe(1);
    told([], { closed: ['g2'] });
    expect(now().unreported).toBe(0);
  });

  it('a renewal, and a grant to decrypt only, allow nothing more', () => {
    granted('g1', { protects: false });
    expect(now().unreported).toBe(0);
    granted('g2', { protects: true });
    granted('g3', { protects: false }, 'LeasesRenewed');
    granted('g4', { protects: false });
    told([], { closed: ['g2'] });
    expect(now().unreported).toBe(0);
  });

  it('a grant of which nothing is said of protecting may have protected', () => {
    granted('g1');
    expect(now().unreported).toBe(1);
  });

  it('a boot that says that it tells no more has told all; one that died has not', () => {
    granted('g1');
    granted('g2', { boot: 'b2' });
    told([], { last: true });
    expect(now().unreported).toBe(1);
    told([{ operation: 'encrypt', ok: 4 }], { boot: 'b3' });
    expect(now()).toEqual({ inUse: 4, unreported: 1 });
  });

  it('a boot of which a report is missing is believed no more', () => {
    granted('g1');
    told([], { seq: 2, closed: ['g1'] });
    expect(now().unreported).toBe(1);
    told([], { seq: 3, last: true });
    expect(now().unreported).toBe(1);
  });

  it('is forgotten of what is destroyed, and of nothing else', () => {
    told([{ operation: 'encrypt', ok: 5 }]);
    told([{ operation: 'encrypt', ok: 2, version: 2 }]);
    use.forgetWhere((each) => each === uid);
    expect(now()).toEqual({ inUse: 0, unreported: 0 });
    expect(use.of('acme', 'l3-1', 2).inUse).toBe(2);
  });

  it('a boot may protect until its lease is over, as that was last renewed', () => {
    const live = () => use.of('acme', 'l3-1', 1).live;
    granted('g1', { protects: true });
    at = 50_000;
    granted('g2', { protects: false }, 'LeasesRenewed');
    at = 109_999;
    expect(live()).toBe(1);
    at = 110_000;
    expect(live()).toBe(0);
    expect(now().unreported).toBe(1);
  });

  it('of a version that nobody has heard of is nothing', () => {
    expect(now()).toEqual({ inUse: 0, unreported: 0 });
  });
});
