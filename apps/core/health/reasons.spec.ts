import type { ProjectionHealth, StandingItem } from '@kcm/application';
import type { LeaseStanding } from '@kcm/custody';
import type { Code, Position, Reason } from '@kcm/kernel';
import type { AppendTrouble, Ledger } from '@kcm/ledger';
import { Health, Lags, watchDoor } from '@kcm/platform';
import { SimClock } from '@kcm/testing/edge';
import { watchCore } from './index.js';
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
  let log: typeof fold;
  let standing: Pick<StandingItem, 'process' | 'attempts' | 'running' | 'runs' | 'dueMs'>[];
  let occurredMsAgo: number;
  let disturbed: number | null;
  let enrolled: object[];
  let trouble: AppendTrouble | null;
  let unreadable: Error | null;
  let pending: number;
  let sealed: boolean;
  let region: object;
  let refusal: object | null;
  let damaged: number;
  let failures: [string, unknown][];
  beforeEach(() => {
    fold = { name: 'audit', position: at(9), state: 'live' };
    core = { name: 'core-view', position: at(9), state: 'live' };
    log = { name: 'transparency-log', position: at(9), state: 'live' };
    [standing, occurredMsAgo, disturbed, enrolled] = [[], 0, null, []];
    [trouble, unreadable, failures, pending] = [null, null, [], 0];
    [sealed, region, refusal, damaged] = [false, {}, null, 0];
  });

  const reasons = async (): Promise<readonly Reason[]> => {
    const health = new Health((part, error) => failures.push([part, error]));
    const ledger = {
      head: async () => {
        if (unreadable !== null) throw unreadable;
        return at(9);
      },
      trouble: () => trouble,
      feed: async function* () {
        const occurredAt = new Date(clock.wallMs() - occurredMsAgo).toISOString();
        yield { kind: 'events', events: [{ meta: { occurredAt } }] };
      },
    } as unknown as Ledger;
    const parts = {
      seals: { sealed },
      autoUnseal: { refusal },
      resealing: { view: { damaged } },
      states: { edges: () => new Map(Object.entries(enrolled)), region: () => region },
      host: { standing: () => standing },
      recording: { pending },
      erasureKeeper: { reasons: () => [] },
      core: {
        edgesConnected: 0,
        keys: { authority: { standing: () => nothing }, clockDisturbedMsAgo: disturbed },
      },
    };
    const lags = new Lags(ledger, clock);
    watchCore(health, parts as never, clock);
    const folds = () => [core, log, fold];
    watchDoor(health, { ledger: ledger as never, clock, lags, folds, oidc: null });
    const report = await health.report();
    return report.reasons;
  };

  it('of acts that no record shows says not to restart', async () => {
    pending = 2;
    expect(await reasons()).toMatchObject([
      {
        dependency: 'ledger',
        level: 'degraded',
        code: 'acts_unrecorded',
        next: expect.stringContaining('do not restart') as string,
      },
    ]);
  });

  it.each([
    ['shamir', null, 'sealed', /--share/],
    ['keystore', null, 'sealed', /--keystore/],
    ['keystore', { code: 'root_key_disabled', message: 'disabled' }, 'root_key_disabled', /again/],
  ] as const)('of a region that is sealed (%s, %j): %s', async (seal, said, code, next) => {
    [sealed, refusal] = [true, said];
    region = { status: 'sealed', config: { seal } };
    expect(await reasons()).toMatchObject([{ dependency: 'seal', level: 'unavailable', code }]);
    expect((await reasons())[0]!.next).toMatch(next);
  });

  it('of blobs that did not open when all was sealed anew', async () => {
    damaged = 3;
    const [reason] = await reasons();
    expect(reason).toMatchObject({ dependency: 'vault', code: 'blobs_damaged' });
  });

  it('is nothing when nothing is wrong', async () => {
    expect(await reasons()).toEqual([]);
  });

  it.each([
    ['audit', 'failed', 'degraded', 'stopped'],
    ['audit', 'waiting', 'degraded', 'waiting'],
    ['transparency-log', 'failed', 'degraded', 'stopped'],
    ['transparency-log', 'waiting', 'degraded', 'waiting'],
    ['core-view', 'failed', 'unavailable', 'stopped'],
    ['core-view', 'waiting', 'degraded', 'waiting'],
  ] as const)('of a fold: %s that is %s is %s', async (name, state, level, code) => {
    if (name === 'audit') fold = { ...fold, state };
    else if (name === 'transparency-log') log = { ...log, state };
    else core = { ...core, state };
    expect(await reasons()).toMatchObject([{ level, code }]);
  });

  it('of a fold that lags: only when what it lacks is old', async () => {
    fold = { ...fold, position: at(4) };
    occurredMsAgo = 4_000;
    expect(await reasons()).toEqual([]);
    occurredMsAgo = 61_000;
    expect(await reasons()).toMatchObject([
      {
        dependency: 'read-model audit',
        level: 'degraded',
        code: 'behind',
        detail: '61 s behind the ledger',
      },
    ]);
    fold = { ...fold, position: null };
    expect(await reasons()).toMatchObject([{ code: 'behind' }]);
  });

  const step = { process: 'receipts', attempts: 0, running: false, runs: 0, dueMs: 120_000 };
  it.each([
    ['was not begun', {}, false],
    ['failed and is not due for a minute', { attempts: 3, runs: 3, dueMs: 59_000 }, false],
    ['is not due yet', { attempts: 9, runs: 9, dueMs: -5 }, false],
    ['was done a moment ago', { runs: 1 }, false],
    ['failed', { attempts: 1, runs: 1 }, true],
    ['hangs', { running: true, runs: 1 }, true],
    ['is done again and again', { runs: 3 }, true],
  ])('of steps: one that %s stands: %3$s', async (_what, more, stands) => {
    standing = [{ ...step, ...more }];
    const codes = (await reasons()).map(({ dependency, code }) => `${dependency} ${code}`);
    expect(codes).toEqual(stands ? ['processes steps_stand'] : []);
  });

  it.each(['full', 'moved', 'stalled', 'unknown', 'unavailable'] as const)(
    'of a ledger whose trouble is %s: it is unavailable',
    async (of) => {
      trouble = of;
      const level = 'unavailable';
      expect(await reasons()).toMatchObject([
        { dependency: 'ledger', level, code: `ledger_${of}` },
      ]);
    },
  );

  it('of a ledger that cannot be read: it is unavailable, and the log is told why', async () => {
    unreadable = new Error('a row of it does not add up');
    fold = { ...fold, state: 'failed' };
    expect(await reasons()).toMatchObject([
      { dependency: 'ledger', level: 'unavailable', code: 'ledger_unreadable' },
      { dependency: 'read-model audit', code: 'stopped' },
    ]);
    expect(failures).toEqual([['ledger', unreadable]]);
  });

  it('of lags: looked up once a second however often one asks', async () => {
    let heads = 0;
    const ledger = { head: async () => ((heads += 1), at(9)) } as unknown as Ledger;
    const lags = new Lags(ledger, clock);
    for (let asked = 0; asked < 5; asked += 1) await lags.of(fold);
    expect(heads).toBe(1);
    clock.advance(1_000);
    await lags.of(fold);
    expect(heads).toBe(2);
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
});
