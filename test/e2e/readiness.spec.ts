import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import {
  type HealthReport,
  type NewEvent,
  type Reason,
  type StreamId,
  systemRandom,
} from '@kcm/kernel';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { processes } from '@kcm/processes';
import { projections } from '@projections/all';
import {
  Api,
  EdgeProcess,
  Keystore,
  onboard,
  Proxy,
  Region,
  Stage,
  until,
  Workload,
} from '../support/index.js';
import { Server } from '../support/server.js';
import { straceWords } from '../support/strace.js';

jest.setTimeout(60_000);

const codesOf = ({ reasons }: HealthReport) =>
  reasons.map(({ dependency, code }) => `${dependency} ${code}`);
/** One line of Prometheus text: a family, its labels, its figure. */
const SAMPLE =
  /^([a-z][a-z0-9_]*)(\{([a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*)\})? (-?\d+(\.\d+)?(e[+-]?\d+)?)$/;

function seriesOf(text: string): ReadonlyMap<string, number> {
  const series = new Map<string, number>();
  let family = '';
  for (const line of text.trimEnd().split('\n')) {
    const about = /^# (?:HELP|TYPE) (\S+)/.exec(line);
    if (about !== null) {
      family = about[1]!;
      continue;
    }
    const sample = SAMPLE.exec(line);
    expect([line, sample?.[1]?.startsWith(family)]).toEqual([line, true]);
    const name = line.slice(0, line.lastIndexOf(' '));
    expect(series.has(name)).toBe(false);
    series.set(name, Number(sample![5]));
  }
  return series;
}

describe('Readiness and figures of a running region', () => {
  const stage = new Stage();
  const region = new Region(stage, { services: 'billing' });
  const ready = async (): Promise<HealthReport & { readonly at: number }> => {
    const { status, body } = await region.as(null).get<HealthReport>('/readyz');
    return { ...body, at: status };
  };
  /** Resolves when a reason is told, and says how; or (`gone`) when it is told no more. */
  const told = (reason: string): Promise<Reason> =>
    until(reason, 30_000, async () => {
      const report = await ready();
      return report.reasons[codesOf(report).indexOf(reason)] ?? null;
    });
  const gone = (reason: string): Promise<true> =>
    until(`no ${reason}`, 30_000, async () => !codesOf(await ready()).includes(reason) || null);
  const series = async () => seriesOf(await region.as(null).read<string>('/metrics'));
  let keystore: Keystore;
  beforeAll(async () => {
    [keystore] = await Promise.all([Keystore.start(stage), region.start()]);
  });
  afterAll(() => stage.close());

  it('a keystore or an Edge that is cut off is told without a name, and again no more', async () => {
    const wire = await Proxy.listen(stage, () => keystore.address);
    const [tenant, edge] = await Promise.all([
      onboard(region, keystore, 'acme', { url: `http://${wire.address}` }),
      EdgeProcess.start(stage, region, 'outside', ['billing']),
    ]);
    await gone('edges edge_not_connected');
    const inside = region.edge('billing');
    const workload = new Workload(stage, inside, await inside.sample(tenant.id, 'a record'));
    wire.cut();
    edge.wire.cut();
    const [unreached, missing] = await Promise.all([
      told('keystores root_key_unreachable'),
      told('edges edge_not_connected'),
    ]);
    expect(unreached).toMatchObject({ level: 'degraded', detail: expect.stringContaining('1 ') });
    expect(missing).toMatchObject({ detail: expect.stringMatching(/^1 of 2 enrolled Edges/) });
    expect(JSON.stringify([unreached, missing])).not.toMatch(/acme|outside/);
    const cut = await series();
    expect(cut.get('kcm_edges_connected')).toBe(1);
    expect(cut.get('kcm_tenants_unproved{code="root_key_unreachable"}')).toBe(1);
    const failed = 'keystore="software",operation="unwrap",outcome="indeterminate"';
    expect(cut.get(`kcm_keystore_call_seconds_count{${failed}}`)).toBeGreaterThan(0);
    wire.heal();
    edge.wire.heal();
    await Promise.all([
      gone('keystores root_key_unreachable'),
      gone('edges edge_not_connected'),
      workload.untilServed(20_000),
    ]);
    expect(codesOf(await ready())).not.toContainEqual(expect.stringContaining('erasure-store'));
  });

  it('a ledger that takes no event is unavailable, and by itself no more when there is room', async () => {
    const limit = (bytes: string) =>
      execFileSync('prlimit', [`--pid=${region.server.pid}`, `--fsize=${bytes}:unlimited`]);
    // What is appended now reaches beyond the file: the log of the database grows with each event.
    limit(String(statSync(join(region.data, 'ledger.db')).size));
    const refuse = async () => {
      const { code } = await region.operator.post('/v1/tenants', { id: 'late', name: 'late' });
      return code === 'ledger_unavailable' || null;
    };
    try {
      await until('a refusal', 20_000, refuse);
      const { at, status, reasons } = await ready();
      expect([at, status, reasons[0]!.dependency]).toEqual([503, 'unavailable', 'ledger']);
      expect(reasons[0]).toMatchObject({
        level: 'unavailable',
        next: expect.stringContaining('disk'),
      });
      expect((await series()).get('kcm_ledger_writable')).toBe(0);
    } finally {
      limit('unlimited');
    }
    // Nobody appends: the server finds out for itself.
    await until('readiness', 10_000, async () => (await ready()).at === 200 || null);
    expect((await series()).get('kcm_ledger_writable')).toBe(1);
    expect(
      await region.operator.command('/v1/tenants', { id: 'late', name: 'late' }),
    ).toBeDefined();
  });

  it('a ledger that is moved away acknowledges nothing, is told, and goes on when it is back', async () => {
    const name = join(region.data, 'ledger.db');
    const register = (id: string) => region.operator.post('/v1/tenants', { id, name: id });
    let taken = 0;
    renameSync(name, `${name}.away`);
    try {
      await until('a refusal', 10_000, async () => {
        const { code } = await register(`moved-${taken}`);
        if (code === 'ledger_unavailable') return true;
        taken += 1;
        return null;
      });
      const reason = await told('ledger ledger_moved');
      expect(reason).toMatchObject({
        level: 'unavailable',
        next: expect.stringContaining('put the same files back'),
      });
      // Reads go on, and the process with them.
      expect((await region.operator.get('/v1/tenants')).status).toBe(200);
      expect((await register('meanwhile')).code).toBe('ledger_unavailable');
      expect(existsSync(name)).toBe(false);
    } finally {
      renameSync(`${name}.away`, name);
    }
    await until('readiness', 10_000, async () => (await ready()).at === 200 || null);
    expect((await register('returned')).status).toBeLessThan(300);
    for (let at = 0; at < taken; at += 1)
      expect((await region.operator.get(`/v1/tenants/moved-${at}`)).status).toBe(200);
  });

  it('figures have the form of Prometheus, and no caller adds one', async () => {
    const nobody = region.as(null);
    const shout = async (round: number) => {
      for (let asked = 0; asked < 60; asked += 1) {
        const odd = `x${round}-${asked}`;
        await nobody.get(`/${odd}`);
        await nobody.get(`/v1/tenants/${odd}`);
        await region.operator.get(`/v1/tenants/${odd}/keys/${odd}?${odd}=1`, { 'user-agent': odd });
      }
    };
    await shout(1);
    const refusals = (all: ReadonlyMap<string, number>) =>
      [...all.keys()].filter((name) => name.startsWith('kcm_http_refusals_total'));
    const before = await series();
    await shout(2);
    const after = await series();
    expect(refusals(after)).toEqual(refusals(before));
    expect(after.get('kcm_http_refusals_total{route="none",code="not_found"}')).toBe(120);
    expect([...after.keys()].join('\n')).not.toMatch(/x1-|x2-|acme|late/);
    expect(after.size).toBeLessThan(500);
    expect(after.get('kcm_ledger_commit_appends_count')).toBeGreaterThan(0);
    await until('a fold that has caught up', 20_000, async () => {
      const lag = (await series()).get('kcm_fold_lag_seconds{fold="audit"}');
      return lag === 0 || null;
    });
    await until('a proof that is in use', 20_000, async () => {
      const now = await series();
      return (now.get('kcm_proofs') === 1 && now.get('kcm_proof_age_seconds')! < 11) || null;
    });
  });

  it('a sealed region is unavailable, says its figures all the same, and after the unseal serves', async () => {
    await region.operator.post('/v1/sys/seal');
    const sealed = await ready();
    expect([sealed.at, sealed.status, codesOf(sealed)]).toEqual([
      503,
      'unavailable',
      ['seal sealed'],
    ]);
    expect((await series()).get('kcm_sealed')).toBe(1);
    const share = readFileSync(join(region.data, 'unseal-key'), 'utf8').trim();
    await region.operator.command('/v1/sys/unseal', { share });
    await until('readiness', 10_000, async () => (await ready()).at === 200 || null);
    expect((await series()).get('kcm_sealed')).toBe(0);
  });
});

describe('A disk that does not answer', () => {
  /** Behind those of a first start; and how long that one sync takes. */
  const [sync, micros] = ['35', 9_000_000];

  it('is told within seconds, readiness and figures answer meanwhile, and it goes on by itself', async () => {
    const stage = new Stage();
    const folder = stage.path('hangs');
    mkdirSync(folder, { mode: 0o700 });
    const fault = { call: 'fsync', does: `delay_enter=${micros}`, when: sync } as const;
    const wal = join(folder, 'data', 'ledger.db-wal');
    const { words, env } = await straceWords([wal], fault, stage.path('trace'));
    const pairs = Object.entries(env).map((pair) => pair.join('='));
    const server = new Server(folder, { before: ['env', ...pairs, ...words] });
    try {
      await server.start();
      const operator = new Api(() => server.url, server.operatorToken);
      const nobody = new Api(() => server.url, null);
      const answers: number[] = [];
      const ready = async () => {
        const asked = performance.now();
        const answer = await nobody.get<HealthReport>('/readyz');
        answers.push(performance.now() - asked);
        return answer;
      };
      let waiting: Promise<unknown> | null = null;
      for (let n = 0; n < 500 && waiting === null; n += 1) {
        const posted = operator.command('/v1/tenants', { id: `t-${n}`, name: 'one' });
        const hangs = await Promise.race([posted.then(() => false), sleep(1_000, true)]);
        if (hangs) waiting = posted;
      }
      expect(waiting).not.toBeNull();
      const stalled = await until('the hanging disk', 8_000, async () => {
        const { status, body } = await ready();
        return codesOf(body).includes('ledger ledger_stalled') ? [status, body.status] : null;
      });
      expect(stalled).toEqual([503, 'unavailable']);
      const figures = seriesOf(await nobody.read<string>('/metrics'));
      expect(figures.get('kcm_ledger_writable')).toBe(0);
      expect(figures.get('kcm_ledger_append_oldest_seconds')).toBeGreaterThanOrEqual(5);
      await waiting;
      await until('readiness', 10_000, async () => (await ready()).status === 200 || null);
      // The bound is the property: nobody who asks how it is waits for the disk.
      expect(Math.max(...answers)).toBeLessThan(micros / 2_000);
    } finally {
      // Who ends strace lets the program under it go on.
      const own = join(folder, 'data', 'lock.pid');
      if (existsSync(own)) process.kill(Number(readFileSync(own, 'utf8')), 'SIGKILL');
      await server.kill();
      await stage.close();
    }
  });
});

describe('A ledger with an event of a later release', () => {
  it('stops the read models and the processes there, one reason each; what Core grants goes on', async () => {
    const stage = new Stage();
    const region = new Region(stage);
    try {
      mkdirSync(region.data, { mode: 0o700 });
      const ledger = await openSqliteLedger({
        file: join(region.data, 'ledger.db'),
        random: systemRandom,
      });
      const planted: NewEvent = {
        id: 'planted' as NewEvent['id'],
        type: 'NeverHeardOf',
        schemaVersion: 1,
        data: {},
        meta: {
          commandId: 'planted' as NewEvent['meta']['commandId'],
          fingerprint: '',
          tenant: null,
          actor: 'core',
          origin: 'local',
          term: 1,
          epoch: 0,
          occurredAt: new Date().toISOString(),
          correlationId: 'planted',
          causationId: 'planted',
        },
      };
      await ledger.append('refused-local.planted' as StreamId, 'noStream', [planted]);
      await ledger.close();
      await region.start();
      const { body } = await until('the reasons', 10_000, async () => {
        const answer = await region.as(null).get<HealthReport>('/readyz');
        return codesOf(answer.body).includes('read-model audit stopped') ? answer : null;
      });
      expect(body.status).toBe('degraded');
      const stopped = body.reasons.filter(({ code }) => code === 'stopped');
      expect(stopped.length).toBe(projections.length + processes.length);
      for (const { level, next } of stopped)
        expect([level, next]).toEqual(['degraded', expect.stringContaining('projection rebuild')]);
      const text = await region.as(null).read<string>('/metrics');
      expect(seriesOf(text).get('kcm_fold_up{fold="audit"}')).toBe(0);
      expect(seriesOf(text).get('kcm_fold_up{fold="core-view"}')).toBe(1);
    } finally {
      await stage.close();
    }
  });
});
