import { readFileSync } from 'node:fs';
import { jest } from '@jest/globals';
import { ENDLESS, type Fault, httpAnswer, SLOW } from '@kcm/testing';
import { FaultyLine } from '../support/faulty-line.js';
import {
  BOUND_MS,
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  Stage,
  type Tenant,
  until,
  Workload,
} from '../support/index.js';

jest.setTimeout(90_000);

const OPENS_MS_MAX = 30_000;
const GROWTH_BYTES_MAX = 128 * 1024 * 1024;
/** More than there are places for steps of processes. */
const PROBES = 80;
const NOT_NOW = ['lease_expired', 'root_key_unreachable', 'root_key_throttled'];
const denial = '{"error":"key_disabled"}';

/** By the tenant whose keystore answers so. */
const FAULTS: { readonly [tenant: string]: Fault } = {
  throttled: httpAnswer('429 Too Many Requests', '{"error":"throttled"}'),
  silent: null,
  slow: SLOW['a body byte by byte']!,
  garbage: '\u0000\u0001garbage\r\n\r\n',
  huge: ENDLESS['an endless body']!,
  half: 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"pl',
  'another-type': httpAnswer('409 Conflict', denial, '', 'text/html'),
  redirect: httpAnswer('307 Temporary Redirect', denial, 'location: http://127.0.0.1:1/x\r\n'),
};

interface Call {
  readonly action: string;
  readonly outcome: string;
  readonly code?: string;
}
interface Play {
  readonly tenant: Tenant;
  readonly line: FaultyLine;
  readonly workload: Workload;
  readonly actedAt: number;
  readonly lastServedAt: number;
  readonly codes: readonly (string | null)[];
  readonly statuses: readonly number[];
  readonly state: string;
}

/** Every customer's keystore goes wrong in another way at once; one customer's does not. */
describe('A keystore that answers what none should', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;
  let neighbour: Tenant;
  let beside: Workload;
  let plays: Map<string, Play>;
  let rotated: { readonly status: number };
  let growth: number;
  let refusedBeside: readonly (number | string | null)[];

  const bytesOf = (): number => {
    const status = readFileSync(`/proc/${region.server.pid}/status`, 'utf8');
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
  };
  const enter = async (id: string): Promise<Omit<Play, 'actedAt'>> => {
    const line = await FaultyLine.listen(stage, keystore.address);
    const tenant = await onboard(region, keystore, id, { url: line.url });
    const workload = await Workload.of(stage, edge.client('billing'), id);
    await workload.untilServed(OPENS_MS_MAX);
    return { tenant, line, workload } as Omit<Play, 'actedAt'>;
  };
  const goWrong = async (entered: Omit<Play, 'actedAt'>, fault: Fault): Promise<Play> => {
    const { tenant, workload, line } = entered;
    line.answers(fault);
    const actedAt = Date.now();
    await workload.untilRefused(2 * BOUND_MS);
    const { lastServedAt, codes, encrypts, decrypts } = workload;
    const [root] = await tenant.anna.list<{ state: string }>(`${tenant.path}/root-keys`);
    const statuses = [encrypts.status, decrypts.status];
    const seen = { actedAt, lastServedAt, codes, statuses, state: root!.state };
    return { tenant, line, workload, ...seen };
  };

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing']);
    neighbour = await onboard(region, keystore, 'neighbour');
    const client = edge.client('billing');
    beside = new Workload(stage, client, await client.sample('neighbour', 'its record'));
    await beside.untilServed(5_000);
    const entered = await Promise.all(
      Object.keys(FAULTS).map(async (id) => [id, await enter(id)] as const),
    );
    const before = bytesOf();
    const playing = entered.map(
      async ([id, play]) => [id, await goWrong(play, FAULTS[id]!)] as const,
    );
    // The silent one's people ask again and again; the neighbour asks once.
    const { tenant } = new Map(entered).get('silent')!;
    const [root] = await tenant.anna.list<{ id: string }>(`${tenant.path}/root-keys`);
    const probe = `${tenant.path}/root-keys/${root!.id}/probe`;
    await Promise.all(
      Array.from({ length: PROBES }, () => tenant.anna.post(probe, {}, { prefer: 'wait=0' })),
    );
    const l3 = `${neighbour.path}/keys/${neighbour.l3['billing']}`;
    rotated = await neighbour.anna.post(`${l3}/rotate`);
    plays = new Map(await Promise.all(playing));
    growth = bytesOf() - before;
    const { encrypts, decrypts, codes } = beside;
    refusedBeside = [encrypts.refused, decrypts.refused, ...codes];
  });
  afterAll(() => stage.close());

  it.each(Object.keys(FAULTS))(
    '%s: served to the end of the lease and no longer, then 503',
    (id) => {
      const { actedAt, lastServedAt, codes, statuses } = plays.get(id)!;
      expect(lastServedAt).toBeGreaterThan(actedAt + 1_000);
      expect(lastServedAt).toBeLessThanOrEqual(actedAt + BOUND_MS);
      expect(statuses).toEqual([503, 503]);
      for (const code of codes) expect(NOT_NOW).toContain(code);
    },
  );

  it.each(Object.keys(FAULTS))(
    '%s: it is told as nothing learnt, and locks nothing',
    async (id) => {
      const { tenant, line, state } = plays.get(id)!;
      expect(state).toBe('indeterminate');
      expect(line.faulted).toBeGreaterThan(0);
      const { access } = await tenant.anna.read<{ access: object }>(tenant.path);
      expect(access).toEqual({ open: true, locks: [] });
      expect(await tenant.anna.list(`${tenant.path}/revocations`)).toEqual([]);
      const trail = await tenant.auditor.list<Call>(`${tenant.path}/audit`);
      const calls = trail.filter(({ action }) => action.startsWith('keystore.unwrap'));
      const outcomes = new Set(calls.map(({ outcome }) => outcome));
      expect(outcomes).toContain('failed');
      expect(outcomes).not.toContain('refused');
    },
  );

  it('the neighbour was served through all of it, and what it asked for was done', async () => {
    expect(refusedBeside).toEqual([0, 0, null, null]);
    expect(rotated.status).toBe(200);
    await beside.untilServed(5_000);
  });

  it('the memory of the server is what it was', () => {
    expect(growth).toBeLessThan(GROWTH_BYTES_MAX);
    expect(region.server.running).toBe(true);
    expect(readFileSync(region.server.log, 'utf8')).not.toMatch(/"level":(50|60)/);
  });

  it('good answers again: service goes on by itself, nothing was lost', async () => {
    await Promise.all(
      [...plays.values()].map(async ({ tenant, line, workload }) => {
        line.answers(undefined);
        await workload.untilServed(OPENS_MS_MAX);
        await until(`the key of ${tenant.id} is enabled`, OPENS_MS_MAX, async () => {
          const [root] = await tenant.anna.list<{ state: string }>(`${tenant.path}/root-keys`);
          return root!.state === 'enabled' ? true : null;
        });
      }),
    );
  });
});
