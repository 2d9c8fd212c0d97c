import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import {
  BOUND_MS,
  EdgeProcess,
  Keystore,
  LEASE_SECONDS,
  type LoggedCall,
  onboard,
  Proxy,
  Region,
  Stage,
  type Tenant,
  Workload,
} from '../support/index.js';

jest.setTimeout(60_000);

/** A little over two seconds before the proof ends: an Edge gets a lease of the last two. */
const LATE_MS = LEASE_SECONDS * 1_000 - 2_300;
interface Lease {
  readonly holder: string;
  readonly callId: string;
}
interface Played {
  readonly tenant: Tenant;
  /** When the last unwrap was answered, by the customer's own audit file. */
  readonly t0: number;
  readonly proof: LoggedCall;
  readonly early: Workload;
  readonly late: Workload;
  /** The lease that the late one took. */
  readonly lease: Lease;
}

/**
 * Where times to live could add up: a root key proved at t0, an Edge's lease taken just before that
 * proof ends, data keys derived under that lease and kept. Both cases play at once.
 */
describe('Nothing is answered later than one lease and a second after the last proof', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let blocked: Promise<Played>;
  let apart: Promise<Played>;

  const lastProof = (tenant: Tenant): LoggedCall => {
    const unwraps = keystore
      .calls(tenant.key)
      .filter(({ operation, outcome }) => operation === 'unwrap' && outcome === 'ok');
    return unwraps.at(-1)!;
  };

  const play = async (id: string, edge: EdgeProcess, cutEdge: boolean): Promise<Played> => {
    const line = await Proxy.listen(stage, () => keystore.address);
    const url = `http://${line.address}`;
    const tenant = await onboard(region, keystore, id, { url });
    const inside = region.edge('billing');
    const sample = await inside.sample(id, `a record of ${id}`);
    line.cut();
    const proof = lastProof(tenant);
    const t0 = Date.parse(proof.time);
    const early = new Workload(stage, inside, sample);

    await sleep(t0 + LATE_MS - Date.now());
    const client = edge.client('billing');
    const late = new Workload(stage, client, await client.sample(id, `late of ${id}`, 0));
    await late.untilServed(1_000);
    if (cutEdge) {
      edge.wire.cut();
      line.heal();
    }
    const leases = await tenant.auditor.list<Lease>(`${tenant.path}/leases`);
    const lease = leases.find(({ holder }) => holder === `edge:${edge.id}`)!;
    await sleep(t0 + BOUND_MS + 1_000 - Date.now());
    return { tenant, t0, proof, early, late, lease };
  };

  beforeAll(async () => {
    [region, keystore] = await Promise.all([
      new Region(stage, { services: 'billing' }).start(),
      Keystore.start(stage),
    ]);
    const [one, two] = await Promise.all([
      EdgeProcess.start(stage, region, 'edge-1', ['billing']),
      EdgeProcess.start(stage, region, 'edge-2', ['billing']),
    ]);
    blocked = play('blocked', one, false);
    apart = play('apart', two, true);
    for (const each of [blocked, apart]) each.catch(() => undefined);
  });
  afterAll(() => stage.close());

  it('renewal blocked: the lease taken last ends with the proof that it rests on', async () => {
    const { tenant, t0, proof, early, late, lease } = await blocked;
    // The case is the one that was meant.
    expect(lease.callId).toBe(proof.callId);
    expect(lastProof(tenant)).toEqual(proof);
    expect(late.lastServedAt).toBeGreaterThan(t0 + LATE_MS);

    for (const workload of [early, late]) {
      expect(workload.lastServedAt).toBeLessThanOrEqual(t0 + BOUND_MS);
      for (const { code, status } of [workload.encrypts, workload.decrypts]) {
        expect(['lease_expired', 'root_key_unreachable']).toContain(code);
        expect(status).toBe(503);
      }
    }
  });

  it('Core and Edge apart: what Core proves meanwhile does not lengthen the lease', async () => {
    const { tenant, t0, proof, early, late, lease } = await apart;
    expect(lease.callId).toBe(proof.callId);
    expect(late.lastServedAt).toBeGreaterThan(t0 + LATE_MS);
    expect(late.lastServedAt).toBeLessThanOrEqual(t0 + BOUND_MS);
    expect(late.codes).toEqual(['lease_expired', 'lease_expired']);
    // Core has its keystore again, and serves whom it can reach.
    await early.untilServed(10_000);
    expect(Date.parse(lastProof(tenant).time)).toBeGreaterThan(t0);
    expect(late.encrypts.refusedAt).not.toBeNull();
    expect(late.decrypts.refusedAt).not.toBeNull();
  });
});
