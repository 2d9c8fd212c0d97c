// The Edge's real data plane with a Core that grants: leases, limits, commitment and AAD are real,
// the L1 behind them is not.
import { randomBytes } from 'node:crypto';
import { Secret } from '../../../dist/libs/crypto/index.js';
import {
  DataPlane,
  EdgeApi,
  EdgeServer,
  GcWitness,
  LeaseKeeper,
  PooledRandom,
  SERVER_LIMITS,
  UsageLedger,
} from '../../../dist/libs/edge/index.js';
import { RefusalCounts } from '../../../dist/libs/edge/refusal-counts.js';
import { LeaseClock, systemClock, systemRandom } from '../../../dist/libs/kernel/index.js';

const now = () => systemClock.monotonicMs();

const granting = ({ off, l3 }) => ({
  lease: async (tenant) => ({
    ok: true,
    uid: `${tenant}/l3-0123456789ab/1`,
    key: 'l3-0123456789ab',
    version: 1,
    seconds: 300,
    access: 'open',
    state: 'active',
    replaced: false,
    mayProtect: true,
    mayProcess: true,
    mayExport: false,
    term: 1,
    epoch: 1,
    grantId: '0b8c8f3e-8d3a-5f0e-9a0b-1c2d3e4f5a6b',
    policy: { ttlSeconds: 300, maxUses: 2 ** 40, maxAgeSeconds: 300, off },
    l3: Secret.copy(l3),
  }),
});

/**
 * `off`: the tenant's policy asks for a fresh data key for each record. `subkeyInvocationsMax`: a
 * data key seals so many.
 */
export function edgePlane({ off = false, l3 = randomBytes(32), subkeyInvocationsMax } = {}) {
  const clock = new LeaseClock(systemClock);
  const random = new PooledRandom(systemRandom);
  const keeper = new LeaseKeeper({
    core: granting({ off, l3 }),
    subkeyInvocationsMax,
    clock,
    random,
    witness: new GcWitness(),
    now,
    allocation: 2 ** 40,
    onAlarm: () => undefined,
    onClosed: () => undefined,
    onHearsay: () => undefined,
  });
  setInterval(() => clock.tick(), 100).unref();
  const refusals = new RefusalCounts();
  const usage = new UsageLedger('bench', () => systemClock.wallMs(), refusals);
  return {
    plane: new DataPlane('bench', keeper, usage, { random, wallMs: () => systemClock.wallMs() }),
    clock,
    random,
    refusals,
  };
}

export async function serveEdge(path) {
  const { plane, random, refusals } = edgePlane();
  const nothing = { status: () => ({}), health: () => ({}), metrics: () => '' };
  const api = new EdgeApi({ plane, random, refusals, ...nothing });
  await new EdgeServer(path, api, SERVER_LIMITS, now).listen();
}
