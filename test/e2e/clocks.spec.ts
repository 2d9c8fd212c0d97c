import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { FIGURES } from '@kcm/testing/figures';
import {
  BOUND_MS,
  EdgeProcess,
  Keystore,
  onboard,
  Proxy,
  Region,
  Stage,
  stopped,
  type Tenant,
  until,
  WallClock,
  Workload,
} from '../support/index.js';

const STOP_MS = FIGURES.stoppedSeconds * 1_000;
const HOUR = 3_600;
/** Long enough for the ticker's gap, short enough for no lease to end. */
const SHORT_STOP_MS = 2_500;
/** After a disturbance, and nothing else in the way. */
const RESUMED_MS_MAX = 15_000;
/** Requests that lie in the socket's buffer while their Edge is stopped. */
const BURST = 12;

jest.setTimeout(120_000 + STOP_MS + (FIGURES.shortStops + FIGURES.clockJumps) * 40_000);

interface Customer {
  readonly tenant: Tenant;
  readonly edge: EdgeProcess;
  readonly workload: Workload;
}

describe('A disturbed clock ends a lease sooner, never later, and service resumes by itself', () => {
  const stage = new Stage();
  let keystore: Keystore;
  let plays: Record<'cut' | 'disabled' | 'gap' | 'core' | 'edgeClock' | 'coreClock', Promise<void>>;

  /** A customer, and an Edge of its own that serves it. */
  const customer = async (
    region: Region,
    id: string,
    more: { readonly env?: Record<string, string>; readonly url?: string } = {},
  ): Promise<Customer> => {
    const url = more.url ?? keystore.url;
    const [tenant, edge] = await Promise.all([
      onboard(region, keystore, id, { url }),
      EdgeProcess.start(stage, region, `edge-${id}`, ['billing'], more.env),
    ]);
    const workload = await Workload.of(stage, edge.client('billing'), id);
    return { tenant, edge, workload };
  };
  /** The answers to requests that arrive while the Edge is stopped: the first after it goes on. */
  const stoppedUnderRequests = async (
    { edge, workload }: Customer,
    ms: number,
    meanwhile: () => Promise<unknown>,
  ): Promise<readonly (string | null)[]> => {
    const client = edge.client('billing');
    const { tenant, plaintext, ciphertext } = workload.sample;
    // Some on connections that stand, the others on such as still have to be taken.
    await Promise.all([client.status(), client.status(), client.status()]);
    const asked: Promise<{ readonly code: string | null }>[] = [];
    await stopped(edge.program.pid, ms, async () => {
      await sleep(200);
      for (let at = 0; at < BURST; at += 2)
        asked.push(client.encrypt(tenant, plaintext), client.decrypt(tenant, ciphertext));
      await meanwhile();
    });
    return (await Promise.all(asked)).map(({ code }) => code);
  };

  const connectedAnew = async (edge: EdgeProcess): Promise<void> => {
    edge.wire.cut();
    await until('the end of its connections', 5_000, async () =>
      (await edge.client('billing').status()).core?.connected === false ? true : null,
    );
    edge.wire.heal();
    await edge.connected();
  };

  /** The customer's yes; the probe saves the wait for Core's own, further apart at each denial. */
  const allowedAgain = async ({ tenant, workload }: Customer): Promise<void> => {
    await keystore.act(tenant.key, 'enable');
    const [rootKey] = await tenant.anna.list<{ id: string }>(`${tenant.path}/root-keys`);
    await tenant.anna.command(`${tenant.path}/root-keys/${rootKey!.id}/probe`);
    await workload.untilServed(RESUMED_MS_MAX);
  };

  const edgeStoppedAndCut = async (region: Region): Promise<void> => {
    const held = await customer(region, 'cut');
    const { edge, workload } = held;
    const codes = await stoppedUnderRequests(held, STOP_MS, async () => edge.wire.cut());
    expect(codes).toEqual(Array(BURST).fill('lease_expired'));
    await workload.untilRefused(5_000);
    edge.wire.heal();
    await workload.untilServed(RESUMED_MS_MAX);
  };

  const edgeStoppedAndDisabled = async (region: Region): Promise<void> => {
    const held = await customer(region, 'disabled');
    const { tenant, workload } = held;
    const codes = await stoppedUnderRequests(held, STOP_MS, () =>
      keystore.act(tenant.key, 'disable'),
    );
    // Refused by the Edge itself, or by Core where the connection outlived the stop.
    for (const code of codes) expect(['lease_expired', 'root_key_disabled']).toContain(code);
    await until('the customer’s no', 10_000, () =>
      workload.codes.every((code) => code === 'root_key_disabled') ? true : null,
    );
    await allowedAgain(held);
  };

  const tickerGap = async (region: Region): Promise<void> => {
    const held = await customer(region, 'gap');
    const { edge, workload } = held;
    for (let turn = 0; turn < FIGURES.shortStops; turn += 1) {
      await workload.untilServed(RESUMED_MS_MAX);
      // A lease that outlasts the stop.
      const left = await until('a lease with time left', 15_000, async () => {
        const { leases } = await edge.client('billing').status();
        const endsInMs = leases?.[0]?.endsInMs ?? 0;
        return endsInMs > SHORT_STOP_MS + 2_500 ? endsInMs : null;
      });
      const began = Date.now();
      const codes = await stoppedUnderRequests(held, SHORT_STOP_MS, async () => edge.wire.cut());
      expect(codes).toEqual(Array(BURST).fill('lease_expired'));
      expect(Date.now() - began).toBeLessThan(left);
      await workload.untilRefused(2_000);
      edge.wire.heal();
      await workload.untilServed(RESUMED_MS_MAX);
    }
    // With nothing in the way it is not noticed for longer than an answer of Core takes.
    await stopped(edge.program.pid, SHORT_STOP_MS);
    await workload.untilServed(RESUMED_MS_MAX);
  };

  const coreStopped = async (region: Region): Promise<void> => {
    const line = await Proxy.listen(stage, () => keystore.address);
    const [kept, ended, flying] = await Promise.all([
      customer(region, 'kept'),
      customer(region, 'ended'),
      customer(region, 'flying', { url: `http://${line.address}` }),
    ]);
    // An unwrap was sent, and its answer is on its way when Core stops.
    const before = keystore.calls(flying.tenant.key).length;
    line.hold();
    await until('an unwrap in flight', 10_000, () =>
      keystore.calls(flying.tenant.key).length > before ? true : null,
    );
    const stoppedAt = Date.now();
    await stopped(region.server.pid, STOP_MS, async () => {
      line.release();
      for (const { tenant } of [ended, flying]) await keystore.act(tenant.key, 'disable');
    });
    const wentOnAt = Date.now();
    await kept.workload.untilServed(RESUMED_MS_MAX);
    for (const { workload } of [ended, flying]) {
      await until('the customer’s no', 10_000, () =>
        workload.codes.every((code) => code === 'root_key_disabled') ? true : null,
      );
      // Also nothing since: no grant rests on what was proved before the stop.
      expect(workload.lastServedAt).toBeLessThanOrEqual(stoppedAt + BOUND_MS);
    }
    const proved = keystore.calls(kept.tenant.key).at(-1)!;
    expect(Date.parse(proved.time)).toBeGreaterThan(wentOnAt - 100);
    await Promise.all([allowedAgain(ended), allowedAgain(flying)]);
  };

  const edgeClockJumps = async (region: Region): Promise<void> => {
    const clock = await WallClock.make(stage, 'edge');
    const { edge, workload } = await customer(region, 'wound', { env: clock.env });
    for (let turn = 0; turn < FIGURES.clockJumps; turn += 1) {
      // Set back as Core is cut off: the lease ends no later for it.
      edge.wire.cut();
      const cutAt = Date.now();
      clock.jump(-HOUR);
      await sleep(BOUND_MS + 500);
      expect(workload.lastServedAt).toBeLessThanOrEqual(cutAt + BOUND_MS);
      await workload.untilRefused(2_000);
      edge.wire.heal();
      await edge.connected();
      await workload.untilServed(RESUMED_MS_MAX);
      // Set forward as Core is cut off: it ends at once.
      edge.wire.cut();
      clock.jump(HOUR);
      await workload.untilRefused(4_000);
      edge.wire.heal();
      await workload.untilServed(RESUMED_MS_MAX);
      clock.jump(0);
      await workload.untilServed(RESUMED_MS_MAX);
    }
  };

  const coreClockJumps = async (region: Region, clock: WallClock): Promise<void> => {
    const line = await Proxy.listen(stage, () => keystore.address);
    const { tenant, edge, workload } = await customer(region, 'hours', {
      url: `http://${line.address}`,
    });
    for (let turn = 0; turn < FIGURES.clockJumps; turn += 1) {
      line.cut();
      const cutAt = Date.now();
      clock.jump(-HOUR);
      await sleep(BOUND_MS + 500);
      await workload.untilRefused(2_000);
      expect(workload.lastServedAt).toBeLessThanOrEqual(cutAt + BOUND_MS);
      line.heal();
      await workload.untilServed(RESUMED_MS_MAX);
      // The certificates are good at either hour.
      await connectedAnew(edge);
      await workload.untilServed(RESUMED_MS_MAX);
      // Who holds a lease is known at any hour: it is told of a lock at once.
      clock.jump(HOUR);
      const lock = { kind: 'suspend', scope: { all: true }, reason: { code: 'incident' } };
      const path = `${tenant.path}/revocations`;
      const { id } = await region.operator.command<{ id: string }>(path, lock);
      await workload.untilRefused(4_000);
      expect(workload.codes).toEqual(['tenant_suspended', 'tenant_suspended']);
      // The tokens of an hour ago have ended; with a new one people go on.
      const boris = await region.person(tenant.id, 'boris', 'tenant-admin');
      await boris.command(`${path}/${id}/release`);
      await connectedAnew(edge);
      await workload.untilServed(RESUMED_MS_MAX);
      clock.jump(0);
      await workload.untilServed(RESUMED_MS_MAX);
    }
  };

  beforeAll(async () => {
    const clock = await WallClock.make(stage, 'core');
    const region = (folder: string, env = {}): Promise<Region> =>
      new Region(stage, { folder, services: 'mail', env }).start();
    keystore = await Keystore.start(stage);
    const [steady, still, shifted] = await Promise.all([
      region('steady'),
      region('still'),
      region('shifted', clock.env),
    ]);
    plays = {
      core: coreStopped(still),
      coreClock: coreClockJumps(shifted, clock),
      cut: edgeStoppedAndCut(steady),
      disabled: edgeStoppedAndDisabled(steady),
      edgeClock: edgeClockJumps(steady),
      gap: tickerGap(steady),
    };
    for (const play of Object.values(plays)) play.catch(() => undefined);
  });
  afterAll(() => stage.close());

  it('an Edge stopped past its lease, Core out of reach: the first answer after it is no', () =>
    plays.cut);

  it('an Edge stopped while the customer disables its key: the first answer after it is no', () =>
    plays.disabled);

  it('an Edge stopped for a moment: nothing is used until Core has renewed it', () => plays.gap);

  it('Core stopped: its Edges end their leases, and it grants nothing on an old proof', () =>
    plays.core);

  it('an Edge’s wall clock an hour back and forth', () => plays.edgeClock);

  it('Core’s wall clock an hour back and forth', () => plays.coreClock);
});
