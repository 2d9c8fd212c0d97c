import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import {
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

interface Holder {
  readonly id: string;
  readonly refusedAt: string | null;
  readonly erasedAt: string | null;
  readonly lastGrantEnds: string | null;
}
interface Served {
  readonly tenant: Tenant;
  readonly edge: EdgeProcess;
  readonly workload: Workload;
}
/** Long, and much of it left: on a busy machine too it ends after what is tested. */
const LEASE_SECONDS = 60;
const LEFT_MS = 20_000;

describe('An Edge on another machine', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let missed: Served;
  let revoked: Served;
  let renewed: Served;

  const served = async (id: string): Promise<Served> => {
    const [tenant, edge] = await Promise.all([
      onboard(region, keystore, id, { leaseSeconds: LEASE_SECONDS }),
      EdgeProcess.start(stage, region, `edge-${id}`, ['billing']),
    ]);
    const workload = await Workload.of(stage, edge.client('billing'), id);
    return { tenant, edge, workload };
  };
  const leaseLeft = ({ edge }: Served): Promise<true> =>
    until('a lease with time left', 30_000, async () => {
      const { leases } = await edge.client('billing').status();
      return (leases?.[0]?.endsInMs ?? 0) > LEFT_MS || null;
    });
  const suspend = ({ tenant }: Served): Promise<{ readonly id: string }> =>
    tenant.anna.command(`${tenant.path}/revocations`, {
      kind: 'suspend',
      scope: { all: true },
      reason: { code: 'incident' },
    });
  /** What it signed of the lock, before its lease would have ended it. */
  const acknowledged = async ({ tenant, edge }: Served, lock: string): Promise<void> => {
    const word = await until('the word of the holder', 15_000, async () => {
      const path = `${tenant.path}/revocations/${lock}`;
      const { holders } = await tenant.anna.read<{ holders: readonly Holder[] }>(path);
      return holders.find(({ id, erasedAt }) => id === `edge:${edge.id}` && erasedAt) ?? null;
    });
    expect(Date.parse(word.refusedAt!)).toBeLessThan(Date.parse(word.lastGrantEnds!));
  };
  const release = async ({ tenant, workload }: Served, lock: string): Promise<void> => {
    await tenant.boris.command(`${tenant.path}/revocations/${lock}/release`);
    await workload.untilServed(10_000);
  };
  const says = ({ edge }: Served, words: string): Promise<true> =>
    edge.program.until(words, () => edge.program.output.includes(words) || null, 15_000);

  beforeAll(async () => {
    [region, keystore] = await Promise.all([
      new Region(stage, { services: 'mail' }).start(),
      Keystore.start(stage),
    ]);
    [missed, revoked, renewed] = await Promise.all([
      served('missed'),
      served('revoked'),
      served('renewed'),
    ]);
  });
  afterAll(() => stage.close());

  it('that was cut off as access was taken away hears of it when it is back, and signs', async () => {
    const { edge, workload } = missed;
    await leaseLeft(missed);
    edge.wire.cut();
    const { id } = await suspend(missed);
    await workload.untilServed(5_000);
    edge.wire.heal();
    await acknowledged(missed, id);
    await workload.untilRefused(5_000);
    expect(workload.codes).toEqual(['tenant_suspended', 'tenant_suspended']);
    await release(missed, id);
  });

  it('… also from a Core that was started again meanwhile', async () => {
    const { edge } = missed;
    await leaseLeft(missed);
    edge.wire.cut();
    const { id } = await suspend(missed);
    await region.stop();
    await region.start();
    edge.wire.heal();
    await acknowledged(missed, id);
    await release(missed, id);
  });

  it('takes a new certificate on SIGHUP and loses no call; what is wrong it leaves alone', async () => {
    const { edge, workload } = renewed;
    const { pid } = edge.program;
    const refused = (): number => workload.encrypts.refused + workload.decrypts.refused;
    await workload.untilServed(10_000);
    const before = refused();
    writeFileSync(join(edge.identity, 'client.pem'), 'half of it');
    process.kill(pid, 'SIGHUP');
    await says(renewed, 'certificate-not-reloaded');
    await workload.untilServed(5_000);
    await leaseLeft(renewed);
    // From now on Core takes nothing but the new one.
    await edge.enrol(region);
    process.kill(pid, 'SIGHUP');
    await says(renewed, 'certificate-reloaded');
    await edge.connected();
    await workload.untilServed(5_000);
    expect(refused()).toBe(before);
  });

  it('that is revoked drops what it holds at once', async () => {
    const { edge, workload } = revoked;
    await workload.untilServed(10_000);
    await leaseLeft(revoked);
    // Core was started again meanwhile: who is not back yet is not told.
    await edge.connected();
    await region.operator.command(`/v1/edges/${edge.id}/revoke`);
    await workload.untilRefused(5_000);
    await says(revoked, 'Core has revoked this Edge');
    expect((await edge.client('billing').status()).leases).toEqual([]);
    expect(workload.codes).toEqual(['lease_expired', 'lease_expired']);
  });
});
