import type { ProjectionHealth } from '@kcm/application';
import type { LeaseStanding } from '@kcm/custody';
import type { Code, Position } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import { Health, type Reason } from '@kcm/platform';
import { SimClock } from '@kcm/testing/edge';
import { watchHealth } from './index.js';
import { keystoreReasons } from './keystores.js';

const at = (row: number) => String(row).padStart(16, '0') as Position;

describe('What is told of readiness', () => {
  const clock = new SimClock();
  // Doubles: each part says what it is told to say.
  const nothing: LeaseStanding = {
    live: 0,
    oldestAgeMs: null,
    leastRemainingMs: null,
    unproved: new Map(),
    suspected: 0,
  };
  let fold: Pick<ProjectionHealth, 'name' | 'position' | 'state'>;
  let core: typeof fold;
  let standing: { process: string; attempts: number; dueMs: number }[];
  let occurredMsAgo: number;
  let disturbed: number | null;
  let enrolled: object[];
  beforeEach(() => {
    fold = { name: 'audit', position: at(9), state: 'live' };
    core = { name: 'core-view', position: at(9), state: 'live' };
    [standing, occurredMsAgo, disturbed, enrolled] = [[], 0, null, []];
  });

  const reasons = async (): Promise<readonly Reason[]> => {
    const health = new Health();
    const ledger = {
      head: async () => at(9),
      trouble: async () => null,
      feed: async function* () {
        const occurredAt = new Date(clock.wallMs() - occurredMsAgo).toISOString();
        yield { kind: 'events', events: [{ meta: { occurredAt } }] };
      },
    } as unknown as Ledger;
    const parts = {
      seals: { sealed: false },
      states: { health: () => core, edges: () => new Map(Object.entries(enrolled)) },
      runner: { health: () => [fold] },
      host: { health: () => [], standing: () => standing },
      oidc: null,
      core: {
        edgesConnected: 0,
        keys: { authority: { standing: () => nothing }, clockDisturbedMsAgo: disturbed },
      },
    };
    watchHealth(health, parts as never, { ledger: ledger as never, clock });
    const report = await health.report();
    return report.reasons.filter(({ code }) => code !== 'one_copy');
  };

  it('is nothing when nothing is wrong', async () => {
    expect(await reasons()).toEqual([]);
  });

  it.each([
    ['audit', 'failed', 'degraded', 'stopped'],
    ['audit', 'waiting', 'degraded', 'waiting'],
    ['core-view', 'failed', 'unavailable', 'stopped'],
    ['core-view', 'waiting', 'degraded', 'waiting'],
  ] as const)('of a fold: %s that is %s is %s', async (name, state, level, code) => {
    if (name === 'audit') fold = { ...fold, state };
    else core = { ...core, state };
    expect(await reasons()).toMatchObject([{ level, code }]);
  });

  it('of a fold that lags: only when what it lacks is old', async () => {
    fold = { ...fold, position: at(4) };
    occurredMsAgo = 4_000;
    expect(await reasons()).toEqual([]);
    occurredMsAgo = 61_000;
    expect(await reasons()).toMatchObject(
      [
        {
          dependency: 'read-model audit',
          level: 'degraded',
          code: 'behind',
          detail: /^5 .* 61 s$/,
        },
      ].map((one) => ({ ...one, detail: expect.stringMatching(one.detail) })),
    );
    fold = { ...fold, position: null };
    expect(await reasons()).toMatchObject([{ code: 'behind' }]);
  });

  it('of steps that stand: those that failed and were due for a minute', async () => {
    standing = [
      { process: 'onboarding', attempts: 0, dueMs: 120_000 },
      { process: 'onboarding', attempts: 3, dueMs: 59_000 },
      { process: 'receipts', attempts: 9, dueMs: -5 },
    ];
    expect(await reasons()).toEqual([]);
    standing.push({ process: 'shredding', attempts: 1, dueMs: 61_000 });
    expect(await reasons()).toMatchObject([{ dependency: 'processes', code: 'steps_stand' }]);
  });

  it('of the clocks for a minute after they were disturbed', async () => {
    disturbed = 59_000;
    expect(await reasons()).toMatchObject([{ dependency: 'clock', code: 'clock_disturbed' }]);
    disturbed = 61_000;
    expect(await reasons()).toEqual([]);
  });

  it('of Edges: those that are enrolled and whose certificate has not run out', async () => {
    const on = (ms: number) => new Date(clock.wallMs() + ms).toISOString();
    enrolled = [
      { status: 'enrolled', notAfter: on(1_000) },
      { status: 'enrolled', notAfter: on(-1_000) },
      { status: 'revoked' },
    ];
    expect(await reasons()).toMatchObject([{ code: 'edge_not_connected' }]);
    enrolled = enrolled.slice(1);
    expect(await reasons()).toEqual([]);
  });

  it('of keystores: how many tenants, by code, and that it may be our own fault', () => {
    const unproved = new Map<Code, number>([
      ['root_key_unreachable', 3],
      ['integrity', 1],
    ]);
    expect(keystoreReasons({ ...nothing, unproved, suspected: 1 })).toMatchObject([
      { code: 'root_key_unreachable', detail: expect.stringContaining('3 tenants') },
      { code: 'integrity', next: expect.stringContaining('vault.db') },
      { code: 'self_suspect' },
    ]);
  });

  it('a part that cannot say how it is, is a reason and keeps none of the others back', async () => {
    const health = new Health();
    health.add(() => {
      throw new Error('of tenant acme');
    });
    health.add(() => [
      { dependency: 'seal', level: 'unavailable', code: 'sealed', detail: 'x', next: 'y' },
    ]);
    const { status, reasons: all } = await health.report();
    expect([status, all.map(({ code }) => code)]).toEqual([
      'unavailable',
      ['sealed', 'check_failed'],
    ]);
    expect(JSON.stringify(all)).not.toContain('acme');
  });
});
